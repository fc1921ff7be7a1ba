// What the items can be filtered by: category, status and price, with how many items of the family have each, also before a search.

import { h, show } from "../dom.js";
import { count, price } from "../format.js";
import { amount, isFiltered, LISTED } from "./state.js";

const TITLES = { category: "Category", status: "Status" };

export class Filters {
  constructor(change) {
    this.change = change;
    this.listed = new Map();
    this.prices = null;
    this.body = h("div", { class: "body" });
    this.mark = h("span", { class: "muted small" });
    this.place = h("details", { class: "filters", hidden: true, open: matchMedia("(min-width: 901px)").matches }, h("summary", {}, "Filters", this.mark), this.body);
  }

  // `fields` of GET /v1/search/{family}.
  describe(fields) {
    this.listed = new Map(LISTED.map((name) => [name, fields.find((field) => field.name === name && field.values)]));
    this.prices = fields.find((field) => field.name === "price" && field.least !== undefined);
  }

  draw(state) {
    const groups = LISTED.map((name) => this.drawListed(state, name)).filter(Boolean);
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    const hasPrice = this.prices || state.from || state.under;
    show(this.body, groups, hasPrice && this.drawPrice(state));
    if (focused?.dataset.value) this.body.querySelector(`[data-field="${focused.dataset.field}"][data-value="${CSS.escape(focused.dataset.value)}"]`)?.focus();
    else if (focused?.name) this.body.querySelector(`[name="${CSS.escape(focused.name)}"]`)?.focus();
    this.mark.textContent = isFiltered(state) ? "on" : "";
    this.place.hidden = !groups.length && !hasPrice;
  }

  // The values of the family, and those that are chosen though it has none of them; a single one is no choice.
  drawListed(state, name) {
    const known = this.listed.get(name);
    const items = new Map(known?.values.map((one) => [one.value, one.items]));
    const values = [...new Set([...items.keys(), ...state[name]])];
    if (!values.length || (values.length === 1 && !state[name].length)) return null;
    const chips = values.map((value) => {
      const on = state[name].includes(value);
      const toggle = () => this.change({ [name]: on ? state[name].filter((one) => one !== value) : [...state[name], value] });
      const shown = name === "status" ? value.replaceAll("_", " ") : value;
      return h("button", { class: "chip", type: "button", "aria-pressed": String(on), data: { field: name, value }, on: { click: toggle } }, shown, items.has(value) && h("span", { class: "count" }, count(items.get(value))));
    });
    const rest = known?.other > 0 && h("span", { class: "tiny muted rest" }, `and ${count(known.other)} items of others`);
    return h("div", { class: "stack", role: "group", "aria-label": TITLES[name] }, h("h3", {}, TITLES[name]), h("div", { class: "filter-scroll" }, h("div", { class: "chips" }, chips, rest)));
  }

  drawPrice(state) {
    const field = (name, label, value, end) => h("label", { class: "field" }, label, h("input", { class: "input", name, type: "number", min: "0", step: "any", inputmode: "decimal", value, placeholder: this.prices ? price(end) : null, on: { change: (event) => this.change({ [name]: amount(event.target.value) }) } }));
    return h("div", { class: "stack", role: "group", "aria-label": "Price" }, h("h3", {}, "Price"), h("div", { class: "pair" }, field("from", "From", state.from, this.prices?.least), field("under", "Under", state.under, this.prices?.most)));
  }
}
