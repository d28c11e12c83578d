// What the autoencoder makes of the last records, for the eye.

import { byId, element, text } from "./dom.js";
import { count, plural } from "./format.js";

// The last codes along their two principal components; each axis is stretched to its own range.
export function drawCodes(name, plane) {
  const svg = byId("codes");
  svg.toggleAttribute("hidden", !plane);
  if (!plane) return text("plane", "No codes yet: they begin with the second block of records.");
  const { width, height } = svg.getBoundingClientRect();
  const place = (across, from, to) => {
    const values = plane.points.map((point) => point[across]);
    const low = Math.min(...values);
    const span = Math.max(...values) - low || 1;
    return (point) => (from + ((point[across] - low) / span) * (to - from)).toFixed(1);
  };
  const x = place(0, 8, width - 8);
  const y = place(1, height - 8, 8);
  const dot = (kind, r) => (point) => element("svg:circle", { class: kind, r, cx: x(point), cy: y(point) });
  const flagged = plane.points.filter((point) => point[2]);
  const usual = plane.points.filter((point) => !point[2]);
  const drawn = `Codes of the last ${plural(plane.points.length, "record")}`;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", `${drawn} of ${name}; ${count(flagged.length)} flagged`);
  svg.replaceChildren(...usual.map(dot("code", 3)), ...flagged.map(dot("flagged", 4)));
  const share = Math.round(100 * plane.variance);
  text("plane", `${drawn} in two principal components: ${share} % of their variance`);
}
