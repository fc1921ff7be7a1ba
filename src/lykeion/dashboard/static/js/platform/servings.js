// What answers requests, and how it is.

import { part } from "../api.js";
import { badge, empty, h, notice, show } from "../dom.js";
import { live } from "./live.js";
import { readiness } from "./words.js";

export function servings(page) {
  document.title = "Servings · Lykeion";
  const body = h("div");
  show(page, h("div", { class: "heading" }, h("div", {}, h("h1", {}, "Servings"), h("p", { class: "muted" }, "What answers requests, and the versions it answers with."))), body);
  live.listen(() => {
    const all = live.list("Serving");
    show(body, all.length ? h("ul", { class: "tiles" }, all.map(tile)) : h("div", { class: "card" }, empty("box", "Nothing is served yet", h("p", {}, "A version that is published with ", h("code", {}, "deploy:"), " appears here by itself."))));
  });
}

function tile(serving) {
  const [said, tone, why] = readiness(serving);
  const { spec, status = {} } = serving;
  const kind = spec.search ? "search" : "index servers";
  const family = (spec.search || spec.index).family;
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h("li", { class: "card padded stack" },
    h("div", { class: "row apart" }, h("h2", {}, serving.metadata.name), badge(said, tone)),
    h("dl", { class: "facts" }, fact("Kind", kind), fact("Family", family), fact("Workers", `${status.readyWorkers || 0} of ${spec.workers || 1}`), fact("Follows", spec.track || "stable")),
    h("div", { class: "chips" }, (status.serving || []).map((version) => badge(version, "accent plain"))),
    why && said !== "Ready" && notice(said === "Failed" ? "bad" : "warn", "", why),
    h("div", { class: "row" }, spec.search && h("a", { class: "button slim", href: `/?family=${part(family)}` }, "Search"), status.url && h("code", { class: "muted" }, status.url)));
}
