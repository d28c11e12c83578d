// Numbers, ages and times, short enough for a glance.

const integers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

export const known = (value) => typeof value === "number" && Number.isFinite(value);
export const count = (value) => (known(value) ? integers.format(value) : "–");
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
export const percent = (value) => (known(value) ? `${Number((value * 100).toPrecision(2))} %` : "–");
export const bytes = (n) => (n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`);
export const label = (partition) => `${partition.topic}-${partition.partition}`;

// Keys and names can be of any length; what is cut is whole in /alerts.
export const clip = (name, longest = 40) => (name.length > longest ? `${name.slice(0, longest - 1)}…` : name);
export const listed = (names) =>
  [...names.slice(0, 5).map((name) => clip(name)), ...(names.length > 5 ? ["…"] : [])].join(", ");

export function compact(value) {
  if (!known(value)) return "–";
  if (Math.abs(value) >= 1e5) return short.format(value);
  return Math.abs(value) < 10 ? digits.format(Number(value.toPrecision(2))) : integers.format(value);
}

export function number(value) {
  if (!known(value)) return "–";
  const size = Math.abs(value);
  return size && (size < 1e-3 || size >= 1e7)
    ? value.toExponential(2).replace("e+", "e")
    : digits.format(value);
}

export function age(seconds) {
  const [n, unit] =
    seconds < 90
      ? [seconds, "s"]
      : seconds < 5400
        ? [seconds / 60, "min"]
        : seconds < 129600
          ? [seconds / 3600, "h"]
          : [seconds / 86400, "d"];
  return `${Math.max(0, Math.round(n))} ${unit}`;
}

const two = (n) => String(n).padStart(2, "0");
const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

export function clock(moment) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return "–";
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return date.toDateString() === new Date().toDateString() ? time : `${day(date)} ${time}`;
}

// Of an axis with marks every `step` seconds: no more than tells them apart.
export function tick(seconds, step) {
  const date = new Date(seconds * 1000);
  if (step >= 86400) return day(date);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return step >= 60 ? time : `${time}:${two(date.getSeconds())}`;
}
