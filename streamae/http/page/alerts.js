// What was found: a row per episode or drift, which opens to show observed against expected.

import { breakable, byId, element, keyed, text } from "./dom.js";
import { blamed, changes, evidence } from "./evidence.js";
import { age, clip, clock, count, number, plural } from "./format.js";

const FEW = 8;

// One entry per episode: the alert that opened it, with its end once that is known.
function episodes(alerts) {
  const found = new Map();
  for (const alert of alerts) {
    const id = alert.episode_id ?? alert.alert_id;
    const episode = found.get(id) ?? { id };
    episode[alert.type === "recovered" ? "end" : "start"] = alert;
    found.set(id, episode);
  }
  // An end that came last does not make its episode the newest.
  const order = new Map(alerts.map((alert, place) => [alert, place]));
  return [...found.values()].sort((a, b) => order.get(a.start ?? a.end) - order.get(b.start ?? b.end));
}

const when = (time) =>
  time
    ? element("time", { datetime: time, title: time, class: "when" }, clock(time))
    : element("span", { class: "when quiet" }, "no time");

function head({ start, end }) {
  if (start?.type === "configuration") {
    const what = changes(start).map(([name, was, is]) => `${name} from ${clip(was)} to ${clip(is)}`);
    return [
      when(start.event_time),
      ["reload", "quiet"],
      "all keys",
      what.join(", ") || "the same",
      "in effect",
    ];
  }
  if (start?.type === "drift") {
    const [first] = start.moved ?? [];
    const others = start.n_moved > 1 ? ` and ${plural(start.n_moved - 1, "other feature")}` : "";
    const moved = first
      ? `${clip(first.feature)} from ${number(first.before)} to ${number(first.after)}${others}`
      : plural(start.n_moved, "feature");
    return [when(start.since_time), ["drift", "good"], "all keys", moved, "normal now"];
  }
  const alert = start ?? end;
  const [first, ...others] = start ? blamed(start) : [];
  const severity = end?.severity ?? alert.severity ?? "warning";
  const why = first
    ? `${clip(first.feature)} ${number(first.observed)}, expected ${number(first.expected)}`
    : "began before this page's memory";
  const more = others.length ? `, ${count(others.length)} more` : "";
  return [
    when(start ? start.event_time : end.started_at),
    [severity, severity === "critical" ? "bad" : "limit"],
    clip(alert.key ?? "no key"),
    why + more,
    end ? `ended, ${plural(end.n_flagged ?? 1, "record")}` : "open",
  ];
}

function summary(episode) {
  const [time, [severity, kind], key, why, state] = head(episode);
  return [
    time,
    element("span", { class: `severity ${kind}` }, severity),
    element("span", { class: "key-name" }, ...breakable(key)),
    element("span", { class: "why" }, ...breakable(why)),
    element("span", { class: state === "open" ? "episode open" : "episode quiet" }, state),
  ];
}

function make() {
  return element("li", {}, element("details", {}, element("summary"), element("div", { class: "detail" })));
}

function change(row, episode) {
  const [opened, body] = row.firstChild.children;
  opened.replaceChildren(...summary(episode));
  body.replaceChildren(...evidence(episode));
}

// Up and down, first and last: as in any list.
function move(event) {
  const rows = [...byId("alerts").querySelectorAll("summary")];
  const at = rows.indexOf(event.target);
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
    byId("more-alerts").addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
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
  latest(now) {
    const { start } = this.found.find((episode) => episode.start?.type === "anomaly") ?? {};
    if (!start) return null;
    const past = start.event_time ? now - new Date(start.event_time) / 1000 : NaN;
    const today = past >= 0 && past < 86400;
    const time = today ? `${age(past)} ago` : start.event_time ? clock(start.event_time) : "no time";
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
    return drifted
      .filter(({ source }) => source.topic === topic && source.partition === partition)
      .map(({ model }) => model.ordinal);
  }
}
