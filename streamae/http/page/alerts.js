// What was found: a row per episode or drift, which opens to show observed against expected.

import { breakable, byId, element, keyed, text } from "./dom.js";
import { age, clip, clock, count, known, label, listed, number, percent, plural } from "./format.js";

const FEW = 8;
const WIDEST = 10; // Standard deviations; what is further off is drawn at the edge.

// One entry per episode: the alert that opened it, with its end once that is known.
export function episodes(alerts) {
  const found = new Map();
  for (const alert of alerts) {
    const id = alert.episode_id ?? alert.alert_id, episode = found.get(id) ?? { id };
    episode[alert.type === "recovered" ? "end" : "start"] = alert;
    found.set(id, episode);
  }
  // An end that came last does not make its episode the newest.
  const order = new Map(alerts.map((alert, place) => [alert, place]));
  return [...found.values()].sort((a, b) => order.get(a.start ?? a.end) - order.get(b.start ?? b.end));
}

// What has less than a twentieth of the first one's share had no part in the decision.
function blamed({ attribution = [] }) {
  const least = (attribution[0]?.share ?? 0) / 20;
  return attribution.filter(({ share }) => (share ?? 0) >= least);
}

const when = (time) => (time ? element("time", { datetime: time, title: time, class: "when" }, clock(time)) : element("span", { class: "when quiet" }, "no time"));

// The keys of `alerting` whose values changed, with both.
function changes({ before, after }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const [was, is] = [before, after].map((keys) => (name) => JSON.stringify(keys[name] ?? null).replaceAll('"', ""));
  return names.filter((name) => was(name) !== is(name)).map((name) => [name, was(name), is(name)]);
}

function head({ start, end }) {
  if (start?.type === "configuration") {
    const what = changes(start).map(([name, was, is]) => `${name} from ${clip(was)} to ${clip(is)}`);
    return [when(start.event_time), ["reload", "quiet"], "all keys", what.join(", ") || "the same", "in effect"];
  }
  if (start?.type === "drift") {
    const [first] = start.moved ?? [], others = start.n_moved > 1 ? ` and ${plural(start.n_moved - 1, "other feature")}` : "";
    const moved = first ? `${clip(first.feature)} from ${number(first.before)} to ${number(first.after)}${others}` : plural(start.n_moved, "feature");
    return [when(start.since_time), ["drift", "good"], "all keys", moved, "normal now"];
  }
  const alert = start ?? end, [first, ...others] = start ? blamed(start) : [];
  const severity = end?.severity ?? alert.severity ?? "warning";
  const why = first ? `${clip(first.feature)} ${number(first.observed)}, expected ${number(first.expected)}` : "began before this page's memory";
  const more = others.length ? `, ${count(others.length)} more` : "";
  return [when(start ? start.event_time : end.started_at), [severity, severity === "critical" ? "bad" : "limit"],
    clip(alert.key ?? "no key"), why + more, end ? `ended, ${plural(end.n_flagged ?? 1, "record")}` : "open"];
}

function summary(episode) {
  const [time, [severity, kind], key, why, state] = head(episode);
  return [time, element("span", { class: `severity ${kind}` }, severity), element("span", { class: "key-name" }, ...breakable(key)),
    element("span", { class: "why" }, ...breakable(why)), element("span", { class: state === "open" ? "episode open" : "episode quiet" }, state)];
}

// Expected in the middle, observed as far off as it was in standard deviations.
function dumbbell({ observed, expected, deviation }, widest) {
  const off = known(deviation) ? Math.max(-1, Math.min(1, deviation / widest)) : 0, half = 46;
  const words = `${number(observed)} observed, ${number(expected)} expected`;
  const drawn = element("span", { class: "dumbbell", role: "img", "aria-label": words },
    element("span", { class: "usual" }), element("span", { class: "way" }), element("span", { class: "expected" }),
    element("span", { class: Math.abs(deviation) > widest ? "observed beyond" : "observed" }));
  const [usual, way, , point] = drawn.children;
  usual.style.left = `${50 - half / widest}%`;
  usual.style.width = `${(2 * half) / widest}%`;
  way.style.left = `${50 + Math.min(0, off) * half}%`;
  way.style.width = `${Math.abs(off) * half}%`;
  point.style.left = `${50 + off * half}%`;
  return drawn;
}

const signed = (value) => (known(value) ? `${value < 0 ? "−" : "+"}${Math.abs(value).toPrecision(2).replace(/\.?0+$/, "")} σ` : "–");
const portion = (share) => (share > 0 && share < 0.005 ? "<1 %" : `${Math.round(100 * (share ?? 0))} %`);
const heading = (name, kind = "") => element("th", { scope: "col", class: kind }, name);

function features(alert) {
  if (!alert.attribution?.length) return null;
  const named = blamed(alert);
  const widest = Math.min(WIDEST, Math.max(3, ...named.map(({ deviation }) => Math.abs(deviation ?? 0))));
  const rows = named.map((each) => element("tr", {},
    element("th", { scope: "row" }, ...breakable(each.feature)),
    element("td", { class: "n" }, number(each.observed)), element("td", { class: "n quiet" }, number(each.expected)),
    element("td", { class: "wide" }, dumbbell(each, widest)),
    element("td", { class: "n" }, signed(each.deviation)), element("td", { class: "n" }, portion(each.share))));
  const titles = [heading("Feature"), heading("Observed", "n"), heading("Expected", "n"),
    heading("Observed against expected", "wide"), heading("Off by", "n"), heading("Share", "n")];
  return element("table", { class: "features" }, element("thead", {}, element("tr", {}, ...titles)), element("tbody", {}, ...rows));
}

function moved(drift) {
  const rows = (drift.moved ?? []).map(({ feature, before, after }) => element("tr", {},
    element("th", { scope: "row" }, ...breakable(feature)), element("td", { class: "n" }, number(before)), element("td", { class: "n" }, number(after))));
  return levels("Feature", rows);
}

const levels = (title, rows) => element("table", { class: "features moved" },
  element("thead", {}, element("tr", {}, heading(title), heading("Before", "n"), heading("Since", "n"))), element("tbody", {}, ...rows));

const changed = (reload) => levels("Key of alerting", changes(reload).map((cells) => element("tr", {},
  element("th", { scope: "row" }, cells[0]), ...cells.slice(1).map((cell) => element("td", { class: "n" }, clip(cell))))));

function notes({ start, end }) {
  const alert = start ?? end, place = start?.since ?? alert.source ?? {}, without = start?.counterfactual?.features ?? [];
  const missing = start?.missing ?? [], labelled = start?.head?.probability;
  return [
    start?.type === "drift" ? `took ${plural(start.n_records, "record")} to become normal`
      : start?.type === "configuration" ? "judges the records behind this one"
      : start ? `score ${number(start.score)}, threshold ${number(start.threshold)}, p ${number(start.p_value)}`
        : `highest score ${number(end.peak_score)}, p ${number(end.peak_p_value)}`,
    start && end && `highest score ${number(end.peak_score)} in ${plural(end.n_records, "record")}`,
    without.length && `not flagged without ${listed(without)}`,
    missing.length && `missing: ${listed(missing)}`,
    known(labelled) && `by the labels: ${percent(labelled)}`,
    `${label(place)} at ${count(place.offset)}`,
    `id ${alert.alert_id}`,
  ].filter(Boolean);
}

function detail(episode) {
  const { start } = episode;
  const shown = { drift: moved, configuration: changed, anomaly: features }[start?.type]?.(start);
  return [...(shown ? [element("div", { class: "scroll" }, shown)] : []),
    element("ul", { class: "notes" }, ...notes(episode).map((note) => element("li", {}, ...breakable(note))))];
}

function make() {
  return element("li", {}, element("details", {}, element("summary"), element("div", { class: "detail" })));
}

function change(row, episode) {
  const [opened, body] = row.firstChild.children;
  opened.replaceChildren(...summary(episode));
  body.replaceChildren(...detail(episode));
}

// Up and down, first and last: as in any list.
function move(event) {
  const rows = [...byId("alerts").querySelectorAll("summary")], at = rows.indexOf(event.target);
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  rows[Math.min(Math.max(to, 0), rows.length - 1)].focus();
}

export class Alerts {
  constructor() {
    this.found = [];
    this.all = false;
    byId("alerts").addEventListener("keydown", move);
    byId("more-alerts").addEventListener("click", () => { this.all = !this.all; this.draw(); });
  }

  show(alerts) {
    const first = this.found.length === 0;
    this.found = episodes(alerts);
    this.draw();
    // The evidence of the newest is what the page was opened for.
    if (first && this.found.length) byId("alerts").firstChild.firstChild.open = true;
  }

  draw() {
    const rows = this.all ? this.found : this.found.slice(0, FEW);
    byId("none").hidden = rows.length > 0;
    keyed(byId("alerts"), rows, ({ id }) => id, make, change);
    byId("more-alerts").hidden = this.found.length <= FEW;
    text("more-alerts", this.all ? "Show fewer" : `Show all ${this.found.length}`);
    text("alerts-note", this.found.length ? `the latest ${this.found.length}, newest first` : "");
  }

  // When the latest alert was, and why, in a few words.
  get latest() {
    const { start } = this.found.find((episode) => episode.start?.type === "anomaly") ?? {};
    if (!start) return null;
    const past = start.event_time ? (Date.now() - new Date(start.event_time)) / 1000 : NaN;
    const time = !start.event_time ? "no time" : past >= 0 && past < 86400 ? `${age(past)} ago` : clock(start.event_time);
    const names = [start.key, start.attribution?.[0]?.feature].filter(Boolean);
    return [time, ...names.map((name) => clip(name, 24))].join(", ");
  }

  // The features that are to blame most often.
  get blamed() {
    const times = new Map();
    for (const { start } of this.found) {
      const name = start?.attribution?.[0]?.feature;
      if (name) times.set(name, (times.get(name) ?? 0) + 1);
    }
    const most = [...times].sort((a, b) => b[1] - a[1]).slice(0, 2);
    return most.map(([name, n]) => `${clip(name, 24)} ${n}×`).join(", ");
  }

  drifts({ topic, partition }) {
    const drifted = this.found.map(({ start }) => start).filter((start) => start?.type === "drift");
    return drifted.filter(({ source }) => source.topic === topic && source.partition === partition).map(({ model }) => model.ordinal);
  }
}
