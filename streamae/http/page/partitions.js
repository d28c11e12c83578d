// A row per partition, in any order, and which of them is drawn.

import { MARKS, worstOf } from "./checks.js";
import { breakable, byId, element, keyed, text } from "./dom.js";
import { age, bytes, compact, count, known, label, number, percent } from "./format.js";

const FEW = 12;

const past = (now, { checkpoint_timestamp_seconds: saved, checkpoint_bytes: size }) =>
  known(saved) ? `${age(now - saved)} ago, ${bytes(size ?? 0)}` : "–";

// Title, what is sorted by, what is written.
const COLUMNS = [
  ["Partition", (p) => p.partition, label],
  ["State", (p, now) => worstOf(p, now)[0], (p, now) => worstOf(p, now)[1]],
  ["Per second", (p) => p.records_per_second, (p) => compact(p.records_per_second)],
  ["Waiting", (p) => p.lag, (p) => count(p.lag)],
  ["Read", (p) => p.records, (p) => count(p.records)],
  ["Rejected", (p) => p.invalid, (p) => count(p.invalid)],
  ["Warm-up", (p) => p.warmup, (p) => percent(Math.floor(p.warmup * 100) / 100)],
  ["Threshold", (p) => p.threshold ?? -1, (p) => number(p.threshold)],
  ["Flagged", (p) => p.alert_rate_observed ?? -1, (p) => percent(p.alert_rate_observed)],
  ["Budget", (p) => p.alert_rate_target ?? -1, (p) => percent(p.alert_rate_target)],
  ["Held back", (p) => p.withheld_share ?? -1, (p) => percent(p.withheld_share)],
  ["Drifts", (p) => p.drifts, (p) => count(p.drifts)],
  ["Alerts", (p) => p.alerts, (p) => count(p.alerts)],
  ["Open", (p) => p.episodes_open, (p) => count(p.episodes_open)],
  ["Snapshot", (p) => p.checkpoint_timestamp_seconds ?? 0, (p, now) => past(now, p)],
];

export class Partitions {
  // `chosen` is called when another one is to be drawn.
  constructor(chosen) {
    this.owned = [];
    this.all = false;
    this.sorted = { column: 0, down: false };
    this.chosen = chosen;
    this.name = decodeURIComponent(location.hash.slice(1));
    const titles = COLUMNS.map(([title], column) => {
      const button = element("button", { type: "button" }, title);
      button.addEventListener("click", () => this.sort(column));
      return element(
        "th",
        { scope: "col", class: column < 2 ? "" : "n", "aria-sort": column ? "none" : "ascending" },
        button,
      );
    });
    byId("partitions").tHead.append(element("tr", {}, ...titles));
    byId("shown").addEventListener("change", (event) => this.choose(event.target.value));
    byId("more-partitions").addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
  }

  // The partition that is drawn; undefined without any.
  get current() {
    return this.owned.find((partition) => label(partition) === this.name) ?? this.owned[0];
  }

  choose(name) {
    this.name = name;
    history.replaceState(null, "", `#${encodeURIComponent(name)}`);
    this.draw();
    this.chosen();
  }

  sort(column) {
    this.sorted = { column, down: this.sorted.column === column ? !this.sorted.down : column > 0 };
    [...byId("partitions").tHead.rows[0].cells].forEach((cell, at) => {
      cell.setAttribute("aria-sort", at !== column ? "none" : this.sorted.down ? "descending" : "ascending");
    });
    this.draw();
  }

  show(partitions, now) {
    this.owned = partitions;
    this.now = now;
    this.draw();
  }

  draw() {
    const { now } = this;
    const { column, down } = this.sorted;
    const [, by] = COLUMNS[column];
    const order = column ? [...this.owned].sort((a, b) => by(a, now) - by(b, now)) : [...this.owned];
    if (down) order.reverse();
    const rows = (this.all ? order : order.slice(0, FEW)).map((each) => ({
      cells: COLUMNS.map(([, , write]) => write(each, now)),
      level: worstOf(each, now)[0],
      drawn: each === this.current,
    }));
    byId("unassigned").hidden = rows.length > 0;
    byId("partitions-scroll").hidden = rows.length === 0;
    keyed(
      byId("partitions").tBodies[0],
      rows,
      ({ cells }) => cells[0],
      (row) => this.row(row),
      change,
    );
    byId("more-partitions").hidden = this.owned.length <= FEW;
    text("more-partitions", this.all ? "Show fewer" : `Show all ${this.owned.length}`);
    this.options();
  }

  row({ cells: [name] }) {
    const button = element("button", { type: "button", title: "Draw this partition" }, ...breakable(name));
    button.addEventListener("click", () => this.choose(name));
    const rest = COLUMNS.slice(1).map((_, at) => element("td", { class: at ? "n" : "" }));
    return element("tr", {}, element("th", { scope: "row" }, button), ...rest);
  }

  options() {
    const select = byId("shown");
    const names = this.owned.map(label);
    byId("choice").hidden = names.length < 2;
    if (names.join("\n") !== [...select.options].map(({ value }) => value).join("\n")) {
      select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    }
    const drawn = this.current ? label(this.current) : "";
    if (document.activeElement !== select && select.value !== drawn) select.value = drawn;
  }
}

function change(row, { cells, level, drawn }) {
  row.cells[0].firstChild.setAttribute("aria-pressed", drawn);
  cells.slice(1).forEach((cell, at) => {
    if (row.cells[at + 1].textContent !== cell) row.cells[at + 1].textContent = cell;
  });
  row.cells[1].className = `mark ${MARKS[level]}`;
}
