// What the items can be filtered by: category, status, price and the fields of the catalogue's own, with how many items of the family have
// each, also before a search.

import { h, show } from "../dom.js";
import { count, price } from "../format.js";
import { amount, isFiltered, LISTED, none, withOwn } from "./state.js";

const TITLES = { category: "Category", status: "Status" };
const ELSEWHERE = [...LISTED, "price", "title", "description"]; // with a place of their own, or prose
const AT_ONCE = 8; // fields; further ones are behind "More filters"
const FLAGS = { true: "yes", false: "no" };
const INPUTS = { number: { type: "number", step: "any", inputmode: "decimal" }, time: { type: "date" } };

export class Filters {
  constructor(change) {
    this.change = change;
    this.listed = new Map();
    this.own = new Map();
    this.prices = null;
    this.state = null;
    this.kept = new Map(); // groups as they stand, so that nobody loses the field that is being typed in
    this.shown = h("div", { class: "body" });
    this.rest = h("div", { class: "body" });
    this.more = h("details", { class: "more", hidden: true }, h("summary", {}, "More filters"), this.rest);
    this.body = h("div", { class: "body" }, this.shown, this.more);
    this.mark = h("span", { class: "muted small" });
    this.place = h("details", { class: "filters", hidden: true, open: matchMedia("(min-width: 901px)").matches }, h("summary", {}, "Filters", this.mark), this.body);
  }

  // `fields` of GET /v1/search/{family}.
  describe(fields) {
    this.listed = new Map(LISTED.map((name) => [name, fields.find((field) => field.name === name && field.values)]));
    this.prices = fields.find((field) => field.name === "price" && field.least !== undefined);
    this.own = new Map(fields.filter((field) => !ELSEWHERE.includes(field.name)).map((field) => [field.name, field]));
    this.kept.clear();
  }

  draw(state) {
    this.state = state;
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    const groups = LISTED.map((name) => this.drawChips(TITLES[name], this.listed.get(name), state[name], { field: name }, (values) => this.change({ [name]: values })));
    groups.push((this.prices || state.from || state.under) && this.drawPrice(state));
    for (const name of new Set([...this.own.keys(), ...state.own.keys()])) groups.push(...this.drawOwn(state, name));
    const drawn = groups.filter(Boolean);
    put(this.shown, drawn.slice(0, AT_ONCE));
    put(this.rest, drawn.slice(AT_ONCE));
    this.more.hidden = drawn.length <= AT_ONCE;
    if (focused?.dataset.value) this.body.querySelector(`[data-field="${CSS.escape(focused.dataset.field)}"][data-value="${CSS.escape(focused.dataset.value)}"]`)?.focus();
    else if (focused?.name && !focused.isConnected) this.body.querySelector(`[name="${CSS.escape(focused.name)}"]`)?.focus();
    this.mark.textContent = isFiltered(state) ? "on" : "";
    this.place.hidden = !drawn.length;
  }

  keep(key, title) {
    if (!this.kept.has(key)) this.kept.set(key, h("div", { class: "stack", role: "group", "aria-label": title }));
    return this.kept.get(key);
  }

  // The values of the family, and those that are chosen though it has none of them; a single one is no choice.
  drawChips(title, known, chosen, { field, flags = {} }, choose) {
    const items = new Map(known?.values?.map((one) => [one.value, one.items]));
    const values = [...new Set([...items.keys(), ...chosen])];
    if (!values.length || (values.length === 1 && !chosen.length)) return null;
    const chips = values.map((value) => {
      const on = chosen.includes(value);
      const toggle = () => choose(on ? chosen.filter((one) => one !== value) : [...chosen, value]);
      const shown = field === "status" ? value.replaceAll("_", " ") : flags[value] || value;
      return h("button", { class: "chip", type: "button", "aria-pressed": String(on), data: { field, value }, on: { click: toggle } }, shown, items.has(value) && h("span", { class: "count" }, count(items.get(value))));
    });
    const rest = known?.other > 0 && h("span", { class: "tiny muted rest" }, `and ${count(known.other)} items of others`);
    const group = this.keep(`chips ${field}`, title);
    show(group, h("h3", {}, title), h("div", { class: "filter-scroll" }, h("div", { class: "chips" }, chips, rest)));
    return group;
  }

  drawPrice(state) {
    const field = (name, label, end) => ({ name, label, value: state[name], end: this.prices ? price(end) : null, take: (text) => this.change({ [name]: amount(text) }) });
    return this.drawRange("Price", { ...INPUTS.number, min: "0" }, [field("from", "From", this.prices?.least), field("under", "Under", this.prices?.most)]);
  }

  // A field of the catalogue's own: its values, or from where to where.
  drawOwn(state, name) {
    const known = this.own.get(name);
    const asked = state.own.get(name) || none;
    const title = name.replaceAll("_", " ");
    const change = (part) => this.change({ own: withOwn(this.state, name, part) });
    const chips = this.drawChips(title, known, asked.values, { field: name, flags: known?.kind === "flag" ? FLAGS : {} }, (values) => change({ values }));
    const field = (part, label, end) => ({ name: `${part}:${name}`, label, value: asked[part], end, take: (text) => change({ [part]: text.trim() }) });
    const isRange = asked.from || asked.to || (known?.least !== undefined && known.least !== known.most);
    return [chips, isRange && this.drawRange(title, INPUTS[known?.kind] || { type: "text" }, [field("from", "From", known?.least), field("to", "To", known?.most)])];
  }

  drawRange(title, kind, fields) {
    const group = this.keep(`range ${fields[0].name}`, title);
    if (!group.hasChildNodes()) show(group, h("h3", {}, title), h("div", { class: "pair" }, fields.map(({ name, label, end, take }) => h("label", { class: "field" }, label, h("input", { ...kind, class: "input", name, placeholder: end === undefined ? null : end, on: { change: (event) => take(event.target.value) } })))));
    for (const { name, value } of fields) {
      const input = group.querySelector(`[name="${CSS.escape(name)}"]`);
      if (input.defaultValue !== value || input !== document.activeElement) input.value = input.defaultValue = value;
    }
    return group;
  }
}

// What stands there already is not taken away and put back: that would end typing in it.
function put(place, groups) {
  if (groups.length !== place.children.length || groups.some((group, at) => group !== place.children[at])) show(place, groups);
}
