// Whether the detector can be trusted: what is checked of each partition, and the worst of all.
// The limits are those of the rules in deploy/prometheus, so that page and pager agree.

import { age, bytes, compact, count, known, label, percent, plural } from "./format.js";

const GOOD = 0;
const LOOK = 1;
const BAD = 2;
export const MARKS = ["good", "look", "bad"];

const sum = (partitions, name) => partitions.reduce((total, each) => total + (each[name] ?? 0), 0);
const share = (value) => (known(value) && value > 0 ? percent(value) : "none");

function lag({ lag: waiting, records_per_second: rate, lag_per_second: growth }) {
  if (waiting > 0 && rate === 0 && growth !== null)
    return [BAD, `${plural(waiting, "record")} wait and none is read`];
  if (waiting <= 10000) return [GOOD];
  if (growth > 0)
    return [LOOK, `falls behind: ${compact(waiting)} wait, ${compact(growth)} more each second`];
  if (!(growth < 0)) return [GOOD];
  const left = -waiting / growth;
  return [left > 3600 ? LOOK : GOOD, `catches up, about ${age(left)} to go`];
}

function snapshot({ checkpoint_timestamp_seconds: saved, records_per_second: rate }, now) {
  if (!known(saved) || now - saved <= 600 || rate === 0) return [GOOD];
  return [LOOK, `the last one is ${age(now - saved)} old`];
}

function budget({ judged, alert_rate_target: target, alert_rate_observed: observed }) {
  // Ten flagged records more than three times those due, or ten fewer than a third, are no accident.
  const n = Math.min(judged, 100000);
  const far =
    (observed - 3 * target) * n > 10
      ? "over three times"
      : (target / 3 - observed) * n > 10
        ? "under a third of"
        : null;
  return far ? [LOOK, `${percent(observed)} flagged, ${far} the budget of ${percent(target)}`] : [GOOD];
}

function guard({ suspected_share: suspected }) {
  return suspected > 0.25 ? [LOOK, `${percent(suspected)} of the records hardly count in learning`] : [GOOD];
}

function records({ offsets_lost_lately: lost, nonfinite_lately: nonfinite, invalid_share: rejected }) {
  if (nonfinite > 0) return [BAD, `${plural(nonfinite, "score")} or losses were no finite number lately`];
  if (lost > 0) return [LOOK, `${plural(lost, "offset")} deleted before they were read`];
  return rejected > 0.01 ? [LOOK, `${percent(rejected)} of them are rejected`] : [GOOD];
}

const warmup = ({ warmup: progress }) =>
  progress < 1 ? [LOOK, `${Math.floor(progress * 100)} % done, no alerts until then`] : [GOOD];

// Name, what one partition shows, what is said when none has a finding; nothing is not known yet.
const CHECKS = [
  ["Warm-up", warmup, () => "done"],
  ["Input", lag, ({ lag: waiting }) => (waiting > 0 ? `${compact(waiting)} waiting` : "caught up")],
  [
    "Records",
    records,
    ({ invalid, partitions }) => {
      const lost = sum(partitions, "offsets_lost");
      return `${lost ? count(lost) : "none"} lost, ${invalid ? count(invalid) : "none"} rejected`;
    },
  ],
  [
    "Budget",
    budget,
    (status) =>
      known(status.alert_rate_observed)
        ? `${percent(status.alert_rate_observed)} flagged, ${percent(status.alert_rate_target)} allowed`
        : null,
  ],
  [
    "Guard",
    guard,
    ({ partitions }) => {
      const worst = (name) => Math.max(0, ...partitions.map((each) => each[name] ?? 0));
      return `${share(worst("suspected_share"))} counted less, ${share(worst("withheld_share"))} held back`;
    },
  ],
  [
    "Drift",
    () => [GOOD],
    ({ drifts, partitions }) => {
      const shifting = partitions.filter((each) => each.shifted_blocks > 2).map(label);
      const under = shifting.length ? `; a level is shifting in ${shifting[0]}` : "";
      return `${drifts ? `${count(drifts)} accepted` : "none"}${under}`;
    },
  ],
  [
    "Snapshot",
    snapshot,
    ({ partitions }, now) => {
      const saved = partitions.filter((each) => known(each.checkpoint_timestamp_seconds));
      if (!saved.length) return null;
      const oldest = Math.min(...saved.map((each) => each.checkpoint_timestamp_seconds));
      return `${age(now - oldest)} ago, ${bytes(sum(saved, "checkpoint_bytes"))}`;
    },
  ],
];

function commits(status, now) {
  const { last_commit_timestamp_seconds: last, start_time_seconds: start, records_per_second: rate } = status;
  const past = now - (last ?? start);
  const stale = rate > 0 && past > 300;
  const note = stale ? `records are read, and nothing is committed for ${age(past)}` : `${age(past)} ago`;
  return {
    name: "Commit",
    level: stale ? BAD : GOOD,
    mark: stale ? "bad" : known(last) ? "good" : "quiet",
    note: stale || known(last) ? note : "not known yet",
  };
}

function configuration(status, now) {
  const failed = status.config_last_reload_successful === 0;
  const since = status.config_last_reload_success_timestamp_seconds;
  const inForce = known(since) ? `in force for ${age(now - since)}` : "in force";
  const note = failed ? `the last reload failed, the log says why; the one before is ${inForce}` : inForce;
  return { name: "Configuration", level: failed ? LOOK : GOOD, mark: failed ? "look" : "good", note };
}

// The worst level of any check for one partition, and the names of those.
export function worstOf(partition, now) {
  const found = CHECKS.map(([name, look]) => [name, look(partition, now)[0]]);
  const level = Math.max(...found.map(([, each]) => each));
  const names = found.filter(([, each]) => each === level).map(([name]) => name);
  return [level, level === GOOD ? "in order" : names.join(", ")];
}

export function checks(status, now) {
  const { partitions } = status;
  const made = !partitions.length
    ? []
    : CHECKS.map(([name, look, fine]) => {
        const found = partitions.map((partition) => {
          const [level, note] = look(partition, now);
          return { level, note, where: label(partition) };
        });
        const worst = found.reduce((a, b) => (b.level > a.level ? b : a));
        if (worst.level === GOOD) {
          const note = worst.note ?? fine(status, now);
          return { name, level: GOOD, mark: note === null ? "quiet" : "good", note: note ?? "not known yet" };
        }
        const alike = found.filter((each) => each.level === worst.level).length;
        const where = alike > 1 ? `${worst.where} and ${alike - 1} more` : worst.where;
        return {
          name,
          level: worst.level,
          mark: MARKS[worst.level],
          note: partitions.length > 1 ? `${where}: ${worst.note}` : worst.note,
        };
      });
  return [...made, commits(status, now), configuration(status, now)];
}
