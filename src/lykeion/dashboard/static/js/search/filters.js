// Category and price filters: what can be chosen is what the family says of its fields.

import { h, show } from "../dom.js";
import { amount, isFiltered } from "./state.js";

const SHOWN = 40;

export class Filters {
  constructor(change) {
    this.change = change;
    this.describe("", []);
    this.body = h("div", { class: "body" });
    this.count = h("span", { class: "muted small" });
    this.place = h("details", { class: "filters", open: matchMedia("(min-width: 901px)").matches }, h("summary", {}, "Filters", this.count), this.body);
  }

  // `fields` of GET /v1/search/{family}; none where its index servers did not answer: then it is asked again.
  describe(family, fields) {
    const named = (name) => fields.find((field) => field.name === name);
    this.family = fields.length ? family : "";
    this.categories = new Map((named("category")?.values || []).map(({ value, items }) => [value, items]));
    this.price = named("price")?.least === undefined ? null : named("price");
  }

  draw(state) {
    const names = [...new Set([...state.category, ...this.categories.keys()])].slice(0, SHOWN);
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    show(this.body, names.length > 0 && this.drawCategories(state, names), this.price && this.drawPrice(state));
    if (focused?.dataset.category) this.body.querySelector(`[data-category="${CSS.escape(focused.dataset.category)}"]`)?.focus();
    else if (focused?.name) this.body.querySelector(`[name="${CSS.escape(focused.name)}"]`)?.focus();
    this.count.textContent = isFiltered(state) ? "on" : "";
    this.place.hidden = !names.length && !this.price;
  }

  drawCategories(state, names) {
    const chips = names.map((name) => {
      const on = state.category.includes(name);
      const toggle = () => this.change({ category: on ? state.category.filter((one) => one !== name) : [...state.category, name] });
      const many = this.categories.get(name);
      return h("button", { class: "chip", type: "button", "aria-pressed": String(on), data: { category: name }, on: { click: toggle } }, name, many && h("span", { class: "count" }, many.toLocaleString()));
    });
    return h("div", { class: "stack", role: "group", "aria-label": "Category" }, h("h3", {}, "Category"), h("div", { class: "filter-scroll" }, h("div", { class: "chips" }, chips)));
  }

  drawPrice(state) {
    const { least, most } = this.price;
    const field = (name, label, value, hint) => h("label", { class: "field" }, label, h("input", { class: "input", name, type: "number", min: "0", step: "any", inputmode: "decimal", placeholder: String(hint), value, on: { change: (event) => this.change({ [name]: amount(event.target.value) }) } }));
    return h("div", { class: "stack", role: "group", "aria-label": "Price" }, h("h3", {}, "Price"), h("div", { class: "pair" }, field("from", "From", state.from, least), field("under", "Under", state.under, most)));
  }
}
