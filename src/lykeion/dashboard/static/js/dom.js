// Elements from values. Text is always text: nothing here reads HTML, so no item's title can become markup, nor turn round what follows.

import { at } from "./place.js";
import { plain } from "./terminal.js";

const LINKS = { href: true, src: true };
const SVG = "http://www.w3.org/2000/svg";
const READ_OUT = new Set(["alt", "aria-label", "title"]);

// An attribute's text: links lead below our own root, and what is read out holds nothing that turns it round.
function text(name, value) {
  if (value === true) return "";
  if (READ_OUT.has(name)) return plain(String(value));
  return name in LINKS && value.startsWith("/") ? at(value) : value;
}

export function h(tag, given = {}, ...children) {
  return fill(document.createElement(tag), given, children);
}

export function svg(tag, given = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), given, children);
}

function fill(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (name === "style") for (const [property, set] of Object.entries(value)) element.style.setProperty(property, set);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name in element && typeof value !== "string" && !(element instanceof SVGElement)) element[name] = value;
    else element.setAttribute(name, text(name, value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false).map((child) => (typeof child === "string" ? plain(child) : child)));
  return element;
}

const PATHS = {
  check: "M5 12.500l4.500 4.500L19 7.500",
  cross: "M7 7l10 10M17 7L7 17",
  spin: "M12 4a8 8 0 1 1-8 8",
  wait: "M12 7v5l3 2M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16",
  skip: "M6 12h12",
  cached: "M13 3L6 13.500h5L10.500 21 18 10.500h-5z",
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14m5 12l4 4",
  play: "M8 5.500v13l10.500-6.500z",
  back: "M9 7L4.500 11.500 9 16M5 11.500h9a5 5 0 0 1 0 10h-3",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  box: "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8",
};

export function icon(name) {
  const drawn = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "2.200", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" };
  return svg("svg", drawn, svg("path", { d: PATHS[name] }));
}

export function show(place, ...children) {
  place.replaceChildren(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
}

export function badge(text, tone = "", more = {}) {
  return h("span", { class: `badge ${tone}`, ...more }, text);
}

// How far something is; with the role "meter", how much of something there is.
export function meter(share, label, { tone = "", role = "progressbar", text } = {}) {
  const percent = Math.max(0, Math.min(100, Math.round(share * 100)));
  const said = { class: `meter ${tone}`, role, "aria-valuetext": text, "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(percent) };
  return h("div", said, h("span", { style: { width: `${percent}%` } }));
}

export function empty(picture, title, ...said) {
  return h("div", { class: "empty" }, icon(picture), h("h2", {}, title), ...said);
}

export function notice(tone, title, ...said) {
  return h("div", { class: `notice ${tone}`, role: tone === "bad" ? "alert" : "status" }, h("div", {}, h("strong", {}, title), " ", ...said));
}

let toastEnds = 0;

export function toast(text) {
  document.querySelector(".toast")?.remove();
  clearTimeout(toastEnds);
  document.body.append(h("div", { class: "toast", role: "status" }, text));
  toastEnds = setTimeout(() => document.querySelector(".toast")?.remove(), 4500);
}

// A dialog that asks; resolves to its form's values, or null where it was left. `leave`: what the button says that leaves it.
export function ask(title, fields, confirm, { tone = "primary", leave = "Cancel" } = {}) {
  return new Promise((answer) => {
    const back = h("button", { class: "button", value: "", type: "button", on: { click: () => dialog.close("") } }, leave);
    const go = h("button", { class: `button ${tone}`, value: "go" }, confirm);
    const form = h("form", { method: "dialog" }, h("h2", { id: "asked" }, title), ...fields, h("menu", {}, back, go));
    const dialog = h("dialog", { "aria-labelledby": "asked" }, form);
    dialog.addEventListener("close", () => {
      answer(dialog.returnValue === "go" ? Object.fromEntries(new FormData(form)) : null);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
