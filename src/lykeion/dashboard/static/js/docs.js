// The API's page, drawn from its description.

import "./frame.js";
import { get } from "./api.js";
import { h, notice, show } from "./dom.js";
import { scrolling } from "./tables.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

async function begin() {
  const page = document.getElementById("page");
  try {
    const { paths } = await get("/openapi.json");
    show(page, sections(paths));
  } catch (error) {
    show(page, notice("bad", `${error.title}.`, error.message));
  }
}

function sections(paths) {
  const tags = new Map();
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of METHODS.filter((one) => methods[one])) {
      const said = methods[method];
      const tag = said.tags?.[0] || "services";
      tags.set(tag, [...(tags.get(tag) || []), operation(path, method, said, methods.parameters || [])]);
    }
  }
  return [...tags].map(([tag, drawn]) => h("section", { class: "card", "aria-label": tag }, h("div", { class: "card-head" }, h("h2", {}, tag[0].toUpperCase() + tag.slice(1))), drawn));
}

function operation(path, method, said, shared) {
  const parameters = [...shared, ...(said.parameters || [])].filter((one) => one.name);
  const rows = parameters.map((one) => h("tr", {}, h("td", {}, h("code", {}, one.name)), h("td", { class: "muted" }, one.in), h("td", {}, one.description || one.schema?.description || "")));
  const bodies = Object.keys(said.requestBody?.content || {}).join(", ");
  return h("details", { class: "operation" },
    h("summary", {}, h("span", { class: `method ${method}` }, method.toUpperCase()), h("code", { class: "path" }, path), h("span", { class: "muted small" }, said.summary || "")),
    h("div", { class: "card-body stack" },
      said.description && h("p", { class: "muted" }, said.description),
      bodies && h("p", {}, h("strong", {}, "Body: "), said.requestBody.description || "", " ", h("code", {}, bodies)),
      rows.length > 0 && scrolling(`Parameters of ${method.toUpperCase()} ${path}`, h("table", {}, h("thead", {}, h("tr", {}, ["Parameter", "In", "What"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows))),
      h("p", { class: "small muted" }, `Answers: ${Object.entries(said.responses || {}).map(([code, one]) => `${code} ${one.description || ""}`.trim()).join("; ")}`)));
}

begin();
