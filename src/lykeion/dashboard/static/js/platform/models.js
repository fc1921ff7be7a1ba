// The models of the repository.

import { get, part } from "../api.js";
import { badge, empty, h, show } from "../dom.js";
import { ago, count, metric, size } from "../format.js";
import { chart, named } from "./chart.js";

export async function models(page) {
  document.title = "Models · Lykeion";
  const { items } = await get("/api/v1/models");
  const body = items.length
    ? h("ul", { class: "tiles" }, items.map(tile))
    : h("div", { class: "card" }, empty("box", "No models yet", h("p", {}, "A pipeline with ", h("code", {}, "publish:"), " puts a version here when it has succeeded."), h("a", { class: "button", href: "/pipelines" }, "Pipelines")));
  show(page, h("div", { class: "heading" }, h("div", {}, h("h1", {}, "Models"), h("p", { class: "muted" }, "Immutable versions, and the aliases that say which one is in use."))), body);
}

export function aliasBadge(name, version) {
  return badge(version === undefined ? name : `${name} → ${version}`, name === "stable" ? "good plain" : "accent plain");
}

export const newest = (name, versions) => metric(versions.findLast((one) => typeof one.metrics[name] === "number").metrics[name]);

function tile(model) {
  const versions = model.metrics.map(({ version, ...metrics }) => ({ version, metrics }));
  const [name] = named(versions, model.gate.metrics);
  return h("li", { class: "card padded stack" },
    h("div", { class: "row apart" }, h("h2", {}, h("a", { href: `/models/${part(model.name)}` }, model.name)), h("span", { class: "row" }, Object.entries(model.aliases).map(([alias, version]) => aliasBadge(alias, version)))),
    name && h("div", {}, h("div", { class: "row apart small" }, h("span", { class: "muted" }, name.replaceAll("_", " ")), h("strong", {}, newest(name, versions))), chart(name, versions, model.aliases)),
    h("p", { class: "small muted" }, `${count(model.versions)} version${model.versions === 1 ? "" : "s"} · newest ${ago(model.created)} · ${size(model.size)}`));
}
