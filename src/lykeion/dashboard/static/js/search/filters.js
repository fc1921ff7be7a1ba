// Category and price filters. What can be chosen comes from the family's own description where it says so, else from what was seen.

import { h, show } from "../dom.js";
import { amount, isFiltered } from "./state.js";

const SHOWN = 40;

export class Filters {
  constructor(change) {
    this.change = change;
    this.counts = new Map();
    this.known = [];
    this.hasPrice = false;
    this.body = h("div", { class: "body" });
    this.count = h("span", { class: "muted small" });
    this.place = h("details", { class: "filters", open: matchMedia("(min-width: 901px)").matches }, h("summary", {}, "Filters", this.count), this.body);
  }

  // `fields` of GET /v1/search/{family}: names, or objects with a name and perhaps values.
  describe(fields) {
    for (const field of Array.isArray(fields) ? fields : []) {
      const name = typeof field === "string" ? field : field.name;
      if (name === "price") this.hasPrice = true;
      if (name === "category" && Array.isArray(field.values)) this.known = field.values.map((value) => (typeof value === "object" ? value.value : value)).map(String);
    }
  }

  see(items, isWhole) {
    if (isWhole) this.counts = new Map();
    for (const item of items) {
      if (isWhole && item.category) this.counts.set(item.category, (this.counts.get(item.category) || 0) + 1);
      if (item.price !== null && item.price !== undefined) this.hasPrice = true;
    }
  }

  draw(state) {
    const seen = [...this.counts.keys()].sort((one, other) => this.counts.get(other) - this.counts.get(one) || one.localeCompare(other));
    const names = [...new Set([...state.category, ...seen, ...this.known])].slice(0, SHOWN);
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    show(this.body, names.length > 0 && this.drawCategories(state, names), this.hasPrice && this.drawPrice(state));
    if (focused?.dataset.category) this.body.querySelector(`[data-category="${CSS.escape(focused.dataset.category)}"]`)?.focus();
    else if (focused?.name) this.body.querySelector(`[name="${CSS.escape(focused.name)}"]`)?.focus();
    this.count.textContent = isFiltered(state) ? "on" : "";
    this.place.hidden = !names.length && !this.hasPrice;
  }

  drawCategories(state, names) {
    const chips = names.map((name) => {
      const on = state.category.includes(name);
      const toggle = () => this.change({ category: on ? state.category.filter((one) => one !== name) : [...state.category, name] });
      const many = this.counts.get(name);
      return h("button", { class: "chip", type: "button", "aria-pressed": String(on), data: { category: name }, on: { click: toggle } }, name, many && h("span", { class: "count" }, String(many)));
    });
    return h("div", { class: "stack", role: "group", "aria-label": "Category" }, h("h3", {}, "Category"), h("div", { class: "filter-scroll" }, h("div", { class: "chips" }, chips)));
  }

  drawPrice(state) {
    const field = (name, label, value) => h("label", { class: "field" }, label, h("input", { class: "input", name, type: "number", min: "0", step: "any", inputmode: "decimal", value, on: { change: (event) => this.change({ [name]: amount(event.target.value) }) } }));
    return h("div", { class: "stack", role: "group", "aria-label": "Price" }, h("h3", {}, "Price"), h("div", { class: "pair" }, field("from", "From", state.from), field("under", "Under", state.under)));
  }
}
