// A line over versions: small, and read out by its ends.

import { svg } from "../dom.js";
import { metric } from "../format.js";

export function sparkline(name, values) {
  const width = 200;
  const height = 44;
  const low = Math.min(...values);
  const spread = Math.max(...values) - low;
  const x = (place) => (values.length === 1 ? width : (place / (values.length - 1)) * width);
  const y = (value) => (spread === 0 ? height / 2 : height - 5 - ((value - low) / spread) * (height - 10));
  const points = values.map((value, place) => `${x(place).toFixed(1)} ${y(value).toFixed(1)}`);
  const line = values.length === 1 ? `M0 ${points[0].split(" ")[1]}L${points[0]}` : `M${points.join("L")}`;
  const said = `${name}: ${metric(values[0])} to ${metric(values.at(-1))} over ${values.length} version${values.length === 1 ? "" : "s"}`;
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": said },
    svg("path", { class: "area", d: `${line}L${width} ${height}L0 ${height}Z` }), svg("path", { d: line }));
}

const QUALITY = /recall|accuracy|auc|f1|precision|r2/;

// The names of metrics, quality before size. One that only says again, with its step's name, what another says is left out.
export function named(metrics) {
  const names = [...new Set(metrics.flatMap((one) => Object.keys(one)))].filter((name) => name !== "version");
  const own = names.filter((name) => !(name.includes(".") && names.includes(name.slice(name.indexOf(".") + 1))));
  return [...own.filter((name) => QUALITY.test(name)), ...own.filter((name) => !QUALITY.test(name))];
}

export const principal = (metrics) => named(metrics)[0] || null;
