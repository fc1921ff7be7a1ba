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

// The metric that says most of a model: its quality before its size.
export function principal(metrics) {
  const names = [...new Set(metrics.flatMap((one) => Object.keys(one)))].filter((name) => name !== "version");
  const good = names.find((name) => /recall|accuracy|auc|f1|precision|r2/.test(name));
  return good || names[0] || null;
}
