// A metric over versions: a line, marked where aliases stand, and read out by its ends and those marks.

import { h, svg } from "../dom.js";
import { metric } from "../format.js";

const WIDTH = 200;
const HEIGHT = 44;
const QUALITY = /recall|accuracy|auc|f1|precision|r2/;

// `versions`: {version, metrics}, oldest first. `aliases`: name -> version. A version without the metric is left out.
export function chart(name, versions, aliases = {}) {
  const points = versions.map((one) => ({ version: one.version, value: one.metrics[name], names: [] })).filter((one) => typeof one.value === "number");
  for (const [alias, version] of Object.entries(aliases)) points.find((one) => one.version === version)?.names.push(alias);
  const values = points.map((one) => one.value);
  const low = Math.min(...values);
  const spread = Math.max(...values) - low;
  points.forEach((one, place) => {
    one.x = points.length === 1 ? WIDTH : (place / (points.length - 1)) * WIDTH;
    one.y = spread === 0 ? HEIGHT / 2 : HEIGHT - 5 - ((one.value - low) / spread) * (HEIGHT - 10);
  });
  return h("div", { class: "chart", role: "img", "aria-label": readOut(name, points) }, line(points), points.filter((one) => one.names.length).map(marked));
}

function line(points) {
  const path = points.map((one) => `${one.x.toFixed(1)} ${one.y.toFixed(1)}`);
  const drawn = points.length === 1 ? `M0 ${points[0].y}L${path[0]}` : `M${path.join("L")}`;
  return svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "area", d: `${drawn}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` }), svg("path", { d: drawn }));
}

function marked(point) {
  const sides = [point.x > WIDTH / 2 && "right", point.y < HEIGHT / 2 && "high", point.names.includes("stable") && "stable"]; // its words stand where there is room
  const place = { left: `${(100 * point.x) / WIDTH}%`, top: `${(100 * point.y) / HEIGHT}%` };
  return h("span", { class: ["here", ...sides].filter(Boolean).join(" "), style: place }, h("span", {}, point.names.join(", ")));
}

function readOut(name, points) {
  const ends = `${name}: ${metric(points[0].value)} to ${metric(points.at(-1).value)} over ${points.length} version${points.length === 1 ? "" : "s"}`;
  return [ends, ...points.flatMap((one) => one.names.map((alias) => `${alias} is version ${one.version} with ${metric(one.value)}`))].join("; ");
}

// The names of numeric metrics: first those that the gate asks for, then quality before size. One that only says again, with its step's
// name, what another says is left out.
export function named(versions, gate = []) {
  const names = [...new Set(versions.flatMap((one) => Object.keys(one.metrics).filter((name) => typeof one.metrics[name] === "number")))];
  const first = gate.filter((name) => names.includes(name));
  const own = names.filter((name) => !first.includes(name) && !(name.includes(".") && names.includes(name.slice(name.indexOf(".") + 1))));
  return [...first, ...own.filter((name) => QUALITY.test(name)), ...own.filter((name) => !QUALITY.test(name))];
}
