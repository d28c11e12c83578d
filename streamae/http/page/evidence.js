// What is known of an alert: observed against expected, and what else speaks for it.

import { breakable, element } from "./dom.js";
import { clip, count, known, label, listed, number, percent, plural } from "./format.js";

const WIDEST = 10; // Standard deviations; what is further off is drawn at the edge.
const SHOWN_BY = {
  covariance: "the distance under the covariance",
  values: "single features",
  residual: "the residual of the reconstruction",
  rarity: "rare values",
  distance: "the distance from earlier records",
};
const HALF = 46; // Percent of the width from the middle to that.

// What has less than a twentieth of the first one's share had no part in the decision.
export function blamed({ attribution = [] }) {
  const least = (attribution[0]?.share ?? 0) / 20;
  return attribution.filter(({ share }) => (share ?? 0) >= least);
}

// The keys of `alerting` whose values changed, with both.
export function changes({ before, after }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const [was, is] = [before, after].map(
    (keys) => (name) => JSON.stringify(keys[name] ?? null).replaceAll('"', ""),
  );
  return names.filter((name) => was(name) !== is(name)).map((name) => [name, was(name), is(name)]);
}

// Columns are [title, class]; a row's first cell is its heading.
function table(kind, columns, rows) {
  const titles = columns.map(([title, shape]) => element("th", { scope: "col", class: shape }, title));
  const body = rows.map(([name, ...cells]) => {
    const values = cells.map((cell, at) => element("td", { class: columns[at + 1][1] }, cell));
    return element("tr", {}, element("th", { scope: "row" }, ...breakable(name)), ...values);
  });
  const head = element("thead", {}, element("tr", {}, ...titles));
  return element("table", { class: kind }, head, element("tbody", {}, ...body));
}

// Expected in the middle, observed as far off as it was in standard deviations.
function dumbbell({ observed, expected, deviation }, widest) {
  const off = known(deviation) ? Math.max(-1, Math.min(1, deviation / widest)) : 0;
  const part = (kind, left, width) => {
    const made = element("span", { class: kind });
    made.style.left = `${left}%`;
    if (width !== undefined) made.style.width = `${width}%`;
    return made;
  };
  return element(
    "span",
    {
      class: "dumbbell",
      role: "img",
      "aria-label": `${number(observed)} observed, ${number(expected)} expected`,
    },
    part("usual", 50 - HALF / widest, (2 * HALF) / widest),
    part("way", 50 + Math.min(0, off) * HALF, Math.abs(off) * HALF),
    part("expected", 50),
    part(Math.abs(deviation) > widest ? "observed beyond" : "observed", 50 + off * HALF),
  );
}

function signed(value) {
  if (!known(value)) return "–";
  const size = String(Number(Math.abs(value).toPrecision(2)));
  return `${value < 0 ? "−" : "+"}${size} σ`;
}

const portion = (share) => (share > 0 && share < 0.005 ? "<1 %" : `${Math.round(100 * (share ?? 0))} %`);

function anomaly(alert) {
  const named = blamed(alert);
  const furthest = Math.max(3, ...named.map(({ deviation }) => Math.abs(deviation ?? 0)));
  const columns = [
    ["Feature", ""],
    ["Observed", "n"],
    ["Expected", "n quiet"],
    ["Observed against expected", "wide"],
    ["Off by", "n"],
    ["Share", "n"],
  ];
  const rows = named.map((each) => [
    each.feature,
    number(each.observed),
    number(each.expected),
    dumbbell(each, Math.min(WIDEST, furthest)),
    signed(each.deviation),
    portion(each.share),
  ]);
  return rows.length ? table("features", columns, rows) : null;
}

const levels = (title, rows) =>
  table(
    "features moved",
    [
      [title, ""],
      ["Before", "n"],
      ["Since", "n"],
    ],
    rows,
  );

const drift = ({ moved = [] }) =>
  levels(
    "Feature",
    moved.map(({ feature, before, after }) => [feature, number(before), number(after)]),
  );

const configuration = (change) =>
  levels(
    "Key of alerting",
    changes(change).map(([name, was, is]) => [name, clip(was), clip(is)]),
  );

function judged({ start, end }) {
  if (start?.type === "drift") return `took ${plural(start.n_records, "record")} to become normal`;
  if (start?.type === "configuration") return "judges the records behind this one";
  if (!start) return `highest score ${number(end.peak_score)}, p ${number(end.peak_p_value)}`;
  return `score ${number(start.score)}, threshold ${number(start.threshold)}, p ${number(start.p_value)}`;
}

// Of the kinds of evidence the one in which the record stood out most.
function foremost(evidence = {}) {
  return Object.keys(evidence).sort((one, other) => evidence[other] - evidence[one])[0];
}

function notes({ start, end }) {
  const alert = start ?? end;
  const place = start?.since ?? alert.source ?? {};
  const without = start?.counterfactual?.features ?? [];
  const missing = start?.missing ?? [];
  const best = foremost(start?.evidence);
  const probability = start?.head?.probability;
  return [
    judged({ start, end }),
    start &&
      end?.n_records > 1 &&
      `highest score ${number(end.peak_score)} in ${plural(end.n_records, "record")}`,
    best && `shown best by ${SHOWN_BY[best] ?? best}`,
    without.length && `not flagged without ${listed(without)}`,
    missing.length && `missing: ${listed(missing)}`,
    known(probability) && `by the labels: ${percent(probability)}`,
    `${label(place)} at ${count(place.offset)}`,
    start?.type === "anomaly" ? `streamae explain ${alert.alert_id}` : `id ${alert.alert_id}`,
  ].filter(Boolean);
}

// The nodes that show it all.
export function evidence(episode) {
  const shown = { anomaly, drift, configuration }[episode.start?.type]?.(episode.start);
  const items = notes(episode).map((note) => element("li", {}, ...breakable(note)));
  const list = element("ul", { class: "notes" }, ...items);
  return shown ? [element("div", { class: "scroll" }, shown), list] : [list];
}
