// Lines over time, drawn by uPlot and read by pointer or arrow keys.

import { byId, text } from "./dom.js";
import { clock, compact, count, known, number, plural, tick } from "./format.js";

const { uPlot } = globalThis;
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const narrow = (values) => values.map((value) => value ?? null);

const STEPS = [
  0.01, 0.1, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800,
  2592000, 31536000,
];

const axis = (more) => ({
  stroke: color("quiet"),
  font: "12px system-ui, sans-serif",
  gap: 4,
  grid: { stroke: color("line"), width: 1 },
  ticks: { show: false },
  ...more,
});

class Chart {
  // `reading` puts the values at an index into words; `summary` says what the chart shows.
  constructor(id, readingId, { series, timed = true, height, reading, overlay }) {
    Object.assign(this, { at: byId(id), readingId, series, timed, height, reading, overlay });
    this.at.setAttribute("role", "slider");
    this.at.tabIndex = 0;
    this.at.addEventListener("keydown", (event) => this.step(event));
    this.at.addEventListener("blur", () => this.plot?.setCursor({ left: -10, top: -10 }));
    new ResizeObserver(() => this.resize()).observe(this.at);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  // Draw columns whose first one is x.
  show(columns, summary, timed = true) {
    this.columns = columns;
    this.summary = summary;
    if (!this.plot || timed !== this.timed) {
      this.timed = timed;
      this.build();
    } else {
      this.plot.setData(columns);
    }
    this.at.setAttribute("aria-label", summary);
    this.at.setAttribute("aria-valuemin", 0);
    this.at.setAttribute("aria-valuemax", columns[0].length - 1);
    this.read();
  }

  build() {
    this.plot?.destroy();
    this.plot = null;
    const width = this.at.clientWidth;
    if (!width || !this.columns) return;
    const x = this.timed
      ? { values: (_, splits, __, ___, step) => splits.map((at) => tick(at, step)), incrs: STEPS, space: 70 }
      : {
          values: (_, splits) => splits.map((at) => (at % 1 ? "" : at < 1e7 ? count(at) : compact(at))),
          space: 80,
        };
    this.plot = new uPlot(
      {
        width,
        height: this.height,
        padding: [8, 26, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
        scales: {
          x: { time: false },
          y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, high ?? 0) * 1.06] },
        },
        axes: [
          axis({ ...x, size: 26 }),
          axis({ size: 46, space: 36, values: (_, splits) => splits.map(compact) }),
        ],
        series: [{}, ...this.series()],
        hooks: { setCursor: [() => this.read()], draw: [(plot) => this.overlay?.(plot)] },
      },
      this.columns,
      this.at,
    );
  }

  resize() {
    const width = this.at.clientWidth;
    if (!this.plot) this.build();
    else if (width && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
  }

  step(event) {
    const last = this.columns ? this.columns[0].length - 1 : -1;
    const now = this.plot?.cursor.idx ?? last + 1;
    const to = {
      ArrowLeft: now - 1,
      ArrowRight: now + 1,
      Home: 0,
      End: last,
      PageUp: now - 50,
      PageDown: now + 50,
    }[event.key];
    if (to === undefined || !this.plot || last < 0) return;
    event.preventDefault();
    const left = this.plot.valToPos(this.columns[0][Math.min(Math.max(to, 0), last)], "x");
    this.plot.setCursor({ left, top: 1 });
  }

  read() {
    const place = this.plot?.cursor.idx;
    const held = known(place) && place < this.columns[0].length;
    const words = held ? this.reading(place) : (this.summary ?? "");
    this.at.setAttribute("aria-valuenow", held ? place : this.columns[0].length - 1);
    this.at.setAttribute("aria-valuetext", words);
    text(this.readingId, held ? words : "");
  }
}

const isFlagged = (score, threshold) => known(score) && known(threshold) && score >= threshold;

// Event times where they all are known and pass, else ordinals.
function along({ ordinal, time_ms: times }) {
  let latest = -Infinity;
  const passed = times.map((time) => (latest = Math.max(latest, time ?? NaN)) / 1000);
  const timed = passed.length > 1 && passed.every(Number.isFinite) && passed.at(-1) > passed[0];
  return [timed, timed ? passed : ordinal];
}

// Adds the stretches without records to a line's gaps: led across them it would tell of scores.
function silences({ data: [x], valToPos }, _, first, last, gaps) {
  const steps = [];
  for (let at = first; at < last; at++) steps.push(x[at + 1] - x[at]);
  const usual = [...steps].sort((one, other) => one - other)[steps.length >> 1];
  const long = Math.max((x[last] - x[first]) / 20, 10 * usual);
  steps.forEach((step, at) => {
    const from = first + at;
    if (step > long) gaps.push([valToPos(x[from], "x", true), valToPos(x[from + 1], "x", true)]);
  });
  return gaps.sort((one, other) => one[0] - other[0]);
}

export class ScoreChart {
  constructor() {
    this.drifts = [];
    this.chart = new Chart("score", "score-reading", {
      height: 230,
      series: () => [
        {
          stroke: color("score"),
          width: 1.4,
          fill: color("fill"),
          points: { show: false },
          gaps: silences,
        },
        {
          stroke: color("limit"),
          width: 1.6,
          dash: [5, 4],
          paths: uPlot.paths.stepped({ align: 1 }),
          points: { show: false },
        },
        { stroke: color("bad"), paths: () => null, points: { show: true, size: 7, fill: color("bad") } },
      ],
      reading: (at) => this.reading(at),
      overlay: (plot) => this.mark(plot),
    });
  }

  // Draw a partition's scores; `drifts` are ordinals at which one became normal.
  show(name, scores, drifts) {
    const some = scores?.score.some(known) ?? false;
    for (const id of ["score", "score-keys"]) byId(id).hidden = !some;
    byId("unscored").hidden = some;
    if (!some) return text("score-reading", "");
    const { ordinal, score, threshold } = scores;
    const [timed, x] = along(scores);
    const flagged = score.map((value, at) => (isFlagged(value, threshold[at]) ? value : null));
    this.scores = scores;
    this.drifts = drifts
      .map((at) => ordinal.findIndex((each) => each >= at))
      .filter((at) => at > 0)
      .map((at) => x[at]);
    byId("drift-key").hidden = this.drifts.length === 0;
    const drawn = `records ${count(ordinal[0])} to ${count(ordinal.at(-1))}`;
    const peaks = plural(flagged.filter(known).length, "peak");
    this.chart.show(
      [x, narrow(score), narrow(threshold), flagged],
      `Anomaly scores of ${drawn} of ${name}; ${peaks} above the threshold`,
      timed,
    );
  }

  reading(at) {
    const { ordinal, time_ms: times, score, threshold } = this.scores;
    const parts = [
      `record ${count(ordinal[at])}`,
      known(times[at]) && clock(times[at]),
      `score ${number(score[at])}`,
      `threshold ${number(threshold[at])}`,
    ];
    return parts.filter(Boolean).join(" · ");
  }

  mark({ ctx, bbox, valToPos }) {
    ctx.save();
    ctx.strokeStyle = color("good");
    ctx.lineWidth = 2 * devicePixelRatio;
    for (const at of this.drifts) {
      const x = valToPos(at, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }
}

export class ThroughputCharts {
  constructor() {
    const chart = (id, stroke, unit) =>
      new Chart(id, "throughput-reading", {
        height: 96,
        series: () => [{ stroke: color(stroke), width: 1.4, points: { show: false } }],
        reading: (at) => `${clock(this.times[at] * 1000)} · ${compact(this[id][at])} ${unit}`,
      });
    this.charts = {
      throughput: chart("throughput", "score", "per second"),
      lag: chart("lag", "limit", "waiting"),
    };
  }

  show(name, columns, now) {
    const drawn = (columns?.lag.length ?? 0) > 1;
    for (const id of ["throughput", "lag"]) {
      byId(id).hidden = byId(id).previousElementSibling.hidden = !drawn;
    }
    byId("unmeasured").hidden = drawn;
    if (!drawn) return;
    Object.assign(this, {
      times: columns.age_seconds.map((past) => now - past),
      throughput: columns.records_per_second,
      lag: columns.lag,
    });
    this.charts.throughput.show(
      [this.times, this.throughput],
      `Records per second of ${name}, now ${compact(this.throughput.at(-1))}`,
    );
    this.charts.lag.show(
      [this.times, this.lag],
      `Records of ${name} waiting, now ${compact(this.lag.at(-1))}`,
    );
  }
}
