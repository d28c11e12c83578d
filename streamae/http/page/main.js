"use strict";

const PERIOD_MS = 1000, TIMEOUT_MS = 5000, FEW = 8;
const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// Everything shown is set as text or attribute, never parsed as HTML.
function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}
const text = (id, value) => { const at = byId(id); if (at.textContent !== value) at.textContent = value; };

const integers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const known = (value) => typeof value === "number" && Number.isFinite(value);
const count = (value) => known(value) ? integers.format(value) : "–";
const compact = (value) => known(value) ? (Math.abs(value) < 1e5 ? integers : short).format(value) : "–";
function number(value) {
  if (!known(value)) return "–";
  const size = Math.abs(value);
  return size && (size < 1e-3 || size >= 1e7) ? value.toExponential(2).replace("e+", "e") : digits.format(value);
}
const percent = (value) => known(value) ? `${Number((value * 100).toPrecision(2))} %` : "–";
const bytes = (n) => n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`;
const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
function age(seconds) {
  const [n, unit] = seconds < 90 ? [seconds, "s"] : seconds < 5400 ? [seconds / 60, "min"]
    : seconds < 129600 ? [seconds / 3600, "h"] : [seconds / 86400, "d"];
  return `${Math.max(0, Math.round(n))} ${unit}`;
}
function clock(moment) {
  const date = new Date(moment), two = (n) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return date.toDateString() === new Date().toDateString() ? time : `${day} ${time}`;
}
// Long names break after a separator, not in the middle of a word.
const breakable = (name) => String(name).split(/(?<=[_.:\/-])/).flatMap((part) => [element("wbr"), part]);
const label = (partition) => `${partition.topic}-${partition.partition}`;

function showState(status) {
  text("name", status.name ?? "streamae");
  document.title = status.name ? `${status.name} · streamae` : "streamae";
  const build = [status.streamae && `streamae ${status.streamae}`, status.torch && `torch ${status.torch}`, status.device, `up ${age(status.uptime_seconds)}`];
  text("build", build.filter(Boolean).join(" · "));
  const waits = status.unready ?? [];
  const [state, kind] = waits.length ? [`Not ready: ${waits.join("; ")}`, "bad"]
    : status.warmup < 1 ? ["Learning what is normal", "limit"] : ["Watching", "good"];
  text("state", state);
  byId("state").className = `state ${kind}`;
}

function showNumbers(status) {
  text("rate", compact(status.records_per_second));
  text("records", `${plural(status.records, "record")} read`);
  text("lag", compact(status.lag));
  text("invalid", `${plural(status.invalid, "record")} rejected`);
  text("count", compact(status.alerts));
  text("flagged", `${plural(status.flagged, "record")} flagged`);
  text("observed", percent(status.alert_rate_observed));
  text("target", known(status.alert_rate_target) ? `budget ${percent(status.alert_rate_target)}` : "judged after the warm-up");
  text("warmup", status.warmup >= 1 ? "Done" : `${Math.floor(status.warmup * 100)} %`);
  byId("progress").value = status.warmup;
}

// One row per episode: the alert that opened it, with its end once that is known.
function episodes(alerts) {
  const found = new Map();
  for (const alert of alerts) {
    const id = alert.episode_id ?? alert.alert_id;
    const episode = found.get(id) ?? {};
    episode[alert.type === "recovered" ? "end" : "start"] = alert;
    found.set(id, episode);
  }
  return [...found.values()];
}

function why(alert) {
  if (!alert) return element("span", { class: "quiet" }, "began before this page's memory");
  const list = element("ul", { class: "why" });
  // What has less than a twentieth of the first one's share had no part in the decision.
  const named = alert.attribution ?? [], least = (named[0]?.share ?? 0) / 20;
  for (const { feature, observed, expected, share } of named.filter((each) => (each.share ?? 0) >= least)) {
    const part = element("span");
    part.style.width = `${100 * Math.min(1, Math.max(0, share ?? 0))}%`;
    list.append(element("li", {},
      element("span", { class: "feature" }, ...breakable(feature)),
      element("span", { class: "values" }, number(observed), element("span", { class: "quiet" }, ` expected ${number(expected)}`)),
      element("span", { class: "bar", "aria-hidden": "true" }, part),
      element("span", { class: "n" }, share > 0 && share < 0.005 ? "<1 %" : `${Math.round(100 * (share ?? 0))} %`)));
  }
  const without = alert.counterfactual?.features ?? [];
  if (without.length) list.append(element("li", {}, element("span", { class: "missing" }, `not flagged without ${without.join(", ")}`)));
  const missing = alert.missing ?? [];
  if (missing.length) list.append(element("li", {}, element("span", { class: "missing" }, `missing: ${missing.join(", ")}`)));
  return list;
}

function driftRow(drift) {
  const place = drift.since ?? {}, list = element("ul", { class: "why" });
  for (const { feature, before, after } of drift.moved ?? []) {
    list.append(element("li", {}, element("span", { class: "feature" }, ...breakable(feature)),
      element("span", { class: "values" }, `${number(before)} → ${number(after)}`)));
  }
  const when = drift.since_time;
  return element("tr", {},
    element("td", {}, when ? element("time", { datetime: when, title: when }, clock(when)) : "–"),
    element("td", {}, element("span", { class: "severity good" }, "drift"), element("small", {}, "normal from now on")),
    element("td", {}, "all keys", element("small", {}, `${place.topic}-${place.partition} at ${count(place.offset)}`)),
    element("td", {}, "–", element("small", {}, `for ${plural(drift.n_records, "record")}`)),
    element("td", {}, list));
}

function episodeRow({ start, end }) {
  if (start?.type === "drift") return driftRow(start);
  const alert = start ?? end, place = alert.source ?? {};
  const when = alert === start ? alert.event_time : alert.started_at;
  const severity = end?.severity ?? alert.severity ?? "warning";
  const score = alert === start ? alert.score : alert.peak_score;
  return element("tr", {},
    element("td", {}, when ? element("time", { datetime: when, title: when }, clock(when)) : element("span", { class: "quiet" }, "no time")),
    element("td", {}, element("span", { class: `severity ${severity === "critical" ? "bad" : "limit"}` }, severity),
      element("small", {}, end ? `ended, ${plural(end.n_flagged ?? 1, "record")}` : "open")),
    element("td", {}, alert.key ?? "no key", element("small", {}, `${place.topic}-${place.partition} at ${count(place.offset)}`)),
    element("td", {}, number(score), start ? element("small", {}, `threshold ${number(start.threshold)}`) : null,
      element("small", {}, `p ${number(start ? start.p_value : end.peak_p_value)}`)),
    element("td", {}, why(start)));
}

function partitionRow(partition) {
  const saved = partition.checkpoint_timestamp_seconds;
  const cells = [count(partition.records), compact(partition.records_per_second), count(partition.lag),
    count(partition.invalid), percent(Math.floor(partition.warmup * 100) / 100), number(partition.threshold),
    percent(partition.alert_rate_observed), percent(partition.alert_rate_target), count(partition.alerts),
    known(saved) ? `${age(Date.now() / 1000 - saved)} ago, ${bytes(partition.checkpoint_bytes ?? 0)}` : "–"];
  return element("tr", {}, element("td", {}, label(partition)), ...cells.map((cell) => element("td", { class: "n" }, cell)));
}

// Rows are replaced only when they changed, so that text can be selected and read aloud.
const written = {};
function fill(id, note, rows, make) {
  byId(id).hidden = rows.length === 0;
  byId(note).hidden = rows.length > 0;
  const made = rows.map(make), content = made.map((row) => row.outerHTML).join("");
  if (written[id] === content) return;
  written[id] = content;
  byId(id).tBodies[0].replaceChildren(...made);
}

let recent = [], allShown = false;
function showAlerts() {
  fill("alerts", "none", allShown ? recent : recent.slice(0, FEW), episodeRow);
  byId("more").hidden = recent.length <= FEW;
  text("more", allShown ? "Show fewer" : `Show all ${recent.length}`);
}

let partitions = [], chart = null;

function choosePartition() {
  const select = byId("shown"), names = partitions.map(label);
  byId("choice").hidden = names.length < 2;
  if (names.join("\n") !== [...select.options].map((option) => option.value).join("\n")) {
    const before = select.value;
    select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    if (names.includes(before)) select.value = before;
  }
  return partitions[Math.max(0, names.indexOf(select.value))];
}

function step(span, n) {
  const raw = span / n, base = 10 ** Math.floor(Math.log10(raw));
  return base * [1, 2, 5, 10].find((factor) => factor * base >= raw);
}

function scale(points, width, height) {
  const values = points.flatMap(([, , score, threshold]) => [score, threshold]).filter(known);
  const top = Math.max(1, ...values) * 1.08, low = Math.min(0, ...values);
  const first = points[0][0], last = Math.max(points[points.length - 1][0], first + 1);
  const box = { left: 46, right: width - 10, top: 8, bottom: height - 24 };
  return { ...box, low, high: top, first, last,
    x: (ordinal) => box.left + (ordinal - first) / (last - first) * (box.right - box.left),
    y: (score) => box.bottom - (score - low) / (top - low) * (box.bottom - box.top) };
}

function axes({ x, y, left, right, bottom, low, high, first, last }) {
  const made = [], up = step(high - low, 4), along = step(last - first, Math.max(3, (right - left) / 130));
  for (let value = Math.ceil(low / up) * up; value <= high; value += up) {
    made.push(element("svg:line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      element("svg:text", { x: left - 7, y: y(value) + 4, "text-anchor": "end" }, digits.format(value)));
  }
  for (let value = Math.ceil(first / along) * along; value <= last; value += along) {
    if (value % 1) continue;
    const anchor = x(value) > right - 40 ? "end" : x(value) < left + 20 ? "start" : "middle";
    made.push(element("svg:text", { x: x(value), y: bottom + 18, "text-anchor": anchor }, (last < 1e7 ? count : compact)(value)));
  }
  return made;
}

// A path that is broken where a value is not known, as in the first block and during warm-up.
function path(points, index, { x, y }, corner) {
  let drawn = "", open = false;
  for (const point of points) {
    const value = point[index], at = known(value) ? `${x(point[0]).toFixed(1)}` : null;
    if (at !== null) drawn += open ? `${corner ? `H${at}V` : `L${at} `}${y(value).toFixed(1)}` : `M${at} ${y(value).toFixed(1)}`;
    open = at !== null;
  }
  return drawn;
}

const isFlagged = ([, , score, threshold]) => known(score) && known(threshold) && score >= threshold;

function drawChart() {
  const svg = byId("chart"), partition = choosePartition(), points = partition?.points ?? [];
  const unscored = !points.some((point) => known(point[2]));
  svg.toggleAttribute("hidden", unscored);
  byId("keys").hidden = unscored;
  byId("unscored").hidden = !unscored;
  const { width, height } = svg.getBoundingClientRect();
  if (unscored || !width) { chart = null; svg.replaceChildren(); text("reading", ""); return; }
  const fit = scale(points, width, height), scores = path(points, 2, fit);
  const seen = points.filter((point) => known(point[2])), base = fit.y(Math.max(0, fit.low));
  const area = seen.length ? `${path(seen, 2, fit)}L${fit.x(seen[seen.length - 1][0])} ${base}L${fit.x(seen[0][0])} ${base}Z` : "";
  const flagged = points.filter(isFlagged), r = flagged.length < 40 ? 3.5 : 2.2;
  const cursor = element("svg:line", { class: "cursor", y1: fit.top, y2: fit.bottom, visibility: "hidden" });
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", `Anomaly scores of records ${count(fit.first)} to ${count(fit.last)}`
    + ` of ${label(partition)}; ${plural(flagged.length, "peak")} above the threshold`);
  svg.replaceChildren(...axes(fit), element("svg:path", { class: "area", d: area }),
    element("svg:path", { class: "scores", d: scores }),
    ...flagged.map(([ordinal, , score]) => element("svg:circle", { class: "flagged", r, cx: fit.x(ordinal), cy: fit.y(score) })),
    element("svg:path", { class: "threshold", d: path(points, 3, fit, true) }), cursor);
  chart = { points, fit, cursor };
  if (!reading) text("reading", `records ${count(fit.first)} to ${count(fit.last)}`);
}

// The last codes along their two principal components; each axis is stretched to its own range.
function drawCodes() {
  const svg = byId("codes"), partition = choosePartition(), plane = partition?.code_plane;
  svg.toggleAttribute("hidden", !plane);
  byId("uncoded").hidden = Boolean(plane);
  const { width, height } = svg.getBoundingClientRect();
  if (!plane || !width) { svg.replaceChildren(); text("recent", ""); text("plane", ""); return; }
  const place = (axis, from, to) => {
    const values = plane.points.map((point) => point[axis]), low = Math.min(...values), span = Math.max(...values) - low || 1;
    return (point) => (from + (point[axis] - low) / span * (to - from)).toFixed(1);
  };
  const x = place(0, 8, width - 8), y = place(1, height - 8, 8);
  const flagged = plane.points.filter((point) => point[2]), usual = plane.points.filter((point) => !point[2]);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", `Codes of the last ${plural(plane.points.length, "record")} of ${label(partition)}; ${count(flagged.length)} flagged`);
  const dot = (kind, r) => (point) => element("svg:circle", { class: kind, r, cx: x(point), cy: y(point) });
  svg.replaceChildren(...usual.map(dot("code", 3)), ...flagged.map(dot("flagged", 4)));
  text("recent", `last ${plural(plane.points.length, "record")}`);
  text("plane", `two principal components: ${percent(plane.variance)} of the variance`);
}

let reading = false;
function readChart(event) {
  if (!chart) return;
  reading = true;
  const { points, fit, cursor } = chart, at = event.clientX - byId("chart").getBoundingClientRect().left;
  const near = points.reduce((best, point) => Math.abs(fit.x(point[0]) - at) < Math.abs(fit.x(best[0]) - at) ? point : best);
  for (const end of ["x1", "x2"]) cursor.setAttribute(end, fit.x(near[0]));
  cursor.setAttribute("visibility", "visible");
  const parts = [`record ${count(near[0])}`, known(near[1]) && clock(near[1]), `score ${number(near[2])}`, `threshold ${number(near[3])}`];
  text("reading", parts.filter(Boolean).join(" · "));
}
function leaveChart() { reading = false; drawChart(); }

function show(status) {
  showState(status);
  showNumbers(status);
  partitions = status.partitions ?? [];
  if (!reading) drawChart();
  drawCodes();
  recent = episodes(status.recent_alerts ?? []);
  showAlerts();
  fill("partitions", "unassigned", partitions, partitionRow);
}

let answered = null;
function showLost(lost) {
  document.body.classList.toggle("stale", lost);
  byId("lost").hidden = !lost;
  if (!lost) return;
  text("lost", `Connection lost${answered ? ` at ${clock(answered)}` : ""}. The numbers below are old; trying again.`);
  text("state", "Not reachable");
  byId("state").className = "state bad";
}

async function poll() {
  try {
    const answer = await fetch("/status", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const status = await answer.json();
    answered = Date.now();
    showLost(false);
    show(status);
  } catch (error) {
    console.warn(error);
    showLost(true);
  }
  setTimeout(poll, document.hidden ? 10 * PERIOD_MS : PERIOD_MS);
}

byId("chart").addEventListener("pointermove", readChart);
byId("chart").addEventListener("pointerleave", leaveChart);
byId("more").addEventListener("click", () => { allShown = !allShown; showAlerts(); });
byId("shown").addEventListener("change", () => { drawChart(); drawCodes(); });
new ResizeObserver(() => drawChart()).observe(byId("chart"));
new ResizeObserver(() => drawCodes()).observe(byId("codes"));
poll();
