// Asks for the status once a second and shows it, the state of trust first.

import { Alerts } from "./alerts.js";
import { ScoreChart, ThroughputCharts } from "./charts.js";
import { MARKS, checks } from "./checks.js";
import { drawCodes } from "./codes.js";
import { byId, element, facts, keyed, text } from "./dom.js";
import { age, clip, clock, compact, count, known, label, number, percent, plural } from "./format.js";
import { Partitions } from "./partitions.js";

const PERIOD_MS = 1000;
const HIDDEN_MS = 10000;
const TIMEOUT_MS = 5000;

const alerts = new Alerts();
const scores = new ScoreChart();
const throughput = new ThroughputCharts();
const partitions = new Partitions(() => poll());
let status = null; // The last one.
let told = null; // Which alerts are shown.
let answered = null; // When, in ms.
let ahead = 0; // Of this clock, the daemon's, in ms.
let timer = null;
let asking = null; // Ends what is asked for now.

function verdict(found) {
  const waits = status.unready ?? [];
  if (waits.length) return [`Not ready: ${waits.join("; ")}`, "bad"];
  const worst = Math.max(...found.map(({ level }) => level));
  const names = found
    .filter(({ level, name }) => level === worst && name !== "Warm-up")
    .map(({ name }) => name.toLowerCase());
  if (worst > 0 && names.length)
    return [`${status.warmup < 1 ? "Learning" : "Watching"}, look at: ${names.join(", ")}`, MARKS[worst]];
  return status.warmup < 1 ? ["Learning what is normal", "look"] : ["Watching", "good"];
}

function showTrust(now) {
  const found = checks(status, now);
  const [state, kind] = verdict(found);
  text("state", state);
  byId("state").className = `state ${kind}`;
  byId("warming").hidden = status.warmup >= 1;
  byId("warming").value = status.warmup;
  keyed(
    byId("checks"),
    found,
    ({ name }) => name,
    ({ name }) =>
      element("li", {}, element("span", { class: "name" }, name), element("span", { class: "note" })),
    (row, { mark, note }) => {
      row.className = `mark ${mark}`;
      row.lastChild.textContent = note;
    },
  );
}

function showHead(now) {
  const open = status.episodes_open ? `(${status.episodes_open}) ` : "";
  text("name", status.name ?? "streamae");
  document.title = status.name ? `${open}${status.name} · streamae` : "streamae";
  const build = [
    status.streamae && `streamae ${status.streamae}`,
    status.torch && `torch ${status.torch}`,
    status.device,
    `up ${age(now - status.start_time_seconds)}`,
  ];
  text("build", build.filter(Boolean).join(" · "));
}

function showNumbers(now) {
  const { partitions: owned } = status;
  const labelled = owned.filter(({ labels }) => labels);
  const sum = (name) => owned.reduce((n, each) => n + (each[name] ?? 0), 0);
  const ranked = labelled.map(({ head_roc_auc: area }) => area).filter(known);
  const latest = Math.max(0, ...owned.map((each) => each.watermark_timestamp_seconds ?? 0));
  text("rate", compact(status.records_per_second));
  facts("work", [
    ["Waiting", plural(status.lag, "record")],
    ["Read", plural(status.records, "record")],
    ["Rejected", plural(status.invalid, "record"), status.invalid ? "limit" : ""],
    ["Partitions", count(owned.length)],
    ["Latest event", latest > 0 ? clock(latest * 1000) : "–"],
  ]);
  const matched = `${count(sum("labels_matched"))} of ${count(sum("labels"))} matched`;
  text("none", status.warmup < 1 ? "None yet: they begin after the warm-up." : "None yet.");
  text("open", count(status.episodes_open));
  byId("open").className = status.episodes_open ? "bad" : "";
  facts("found", [
    ["Alerts", count(status.alerts)],
    ["Latest", clip(alerts.latest(now) ?? "none", 60)],
    ["Blamed most", alerts.blamed || "–"],
    ["Flagged", plural(status.flagged, "record")],
    ["Suppressed", plural(sum("suppressed"), "record")],
    ["Drifts", count(status.drifts)],
    labelled.length && [
      "Labels",
      matched + (ranked.length ? `, ROC-AUC ${Math.min(...ranked).toFixed(2)}` : ""),
    ],
  ]);
}

function chosenBy(transforms) {
  if (!transforms?.decided) return [["Transforms", "decided after the first block"]];
  const names = (list) => (list.length ? list.map((name) => clip(name)).join(", ") : "none");
  return [
    ["Left out as times", names(transforms.times)],
    ["Judged by change", names(transforms.diff)],
    ["Heavy tails", names(transforms.heavy_tails)],
    ["Calendar", transforms.calendar ?? "none"],
    ["Earlier records seen", count(transforms.lag)],
  ];
}

function showModel(partition) {
  text("model-of", partition ? `of ${label(partition)}` : "");
  facts(
    "model",
    !partition
      ? []
      : [
          ["Learnt from", plural(partition.ordinal, "record")],
          ["Threshold", `${number(partition.threshold)}, p ${number(partition.alert_p_value)}`],
          ["Left unexplained", percent(partition.train_loss)],
          [
            "Lead over linear",
            known(partition.model_gain_nats) ? `${number(partition.model_gain_nats)} nats` : "–",
          ],
          [
            "Units active",
            `${percent(partition.active_latents_ratio)}, ${count(partition.dead_latents)} dead`,
          ],
          ...chosenBy(partition.transforms),
          partition.labels > 0 && [
            "Labels' head",
            known(partition.head_roc_auc)
              ? `ROC-AUC ${partition.head_roc_auc.toFixed(2)}, log loss ${partition.head_log_loss.toFixed(2)}`
              : "not enough labels yet",
          ],
        ],
  );
}

function showDrawn(now) {
  const { current } = partitions;
  const name = current ? label(current) : "";
  const drawn = status.chart?.partition === name ? status.chart : null;
  if (drawn || !current) {
    scores.show(name, drawn?.scores, current ? alerts.drifts(current) : []);
    throughput.show(name, drawn?.throughput, now);
    drawCodes(name, drawn?.code_plane);
  }
  showModel(current);
}

function show() {
  const now = (Date.now() + ahead) / 1000;
  showHead(now);
  showTrust(now);
  showNumbers(now);
  partitions.show(status.partitions ?? [], now);
  showDrawn(now);
}

function showLost(lost) {
  document.body.classList.toggle("stale", lost);
  byId("lost").hidden = !lost;
  if (!lost) return;
  text(
    "lost",
    `Connection lost${answered ? ` at ${clock(answered)}` : ""}. The numbers below are old; trying again.`,
  );
  text("state", "Not reachable");
  byId("state").className = "state bad";
}

async function get(path) {
  // What has not changed since comes from the browser's cache.
  const answer = await fetch(path, {
    cache: "no-cache",
    signal: AbortSignal.any([asking.signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  const off = Date.parse(answer.headers.get("Date")) - Date.now();
  ahead = Math.abs(off) > TIMEOUT_MS ? off : 0;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function poll() {
  clearTimeout(timer);
  asking?.abort("asked anew");
  const mine = (asking = new AbortController());
  try {
    const name = partitions.current ? label(partitions.current) : partitions.name;
    status = await get(`status${name ? `?partition=${encodeURIComponent(name)}` : ""}`);
    const news = `${status.start_time_seconds} ${status.events}`;
    if (news !== told) alerts.show((await get("alerts")).alerts);
    told = news;
    answered = Date.now();
    showLost(false);
    show();
    const first = partitions.current && label(partitions.current) !== name;
    if (first) return poll();
  } catch (error) {
    if (mine.signal.aborted) return undefined;
    console.warn(error);
    showLost(true);
  }
  timer = setTimeout(poll, document.hidden ? HIDDEN_MS : PERIOD_MS);
  return undefined;
}

document.addEventListener("visibilitychange", () => document.hidden || poll());
new ResizeObserver(() => status && show()).observe(byId("codes"));
text("zone", `Times are those of ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`);
poll();
