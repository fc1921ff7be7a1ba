// The images of a model's versions: how far each is, where it lies, and which of its layers are new.

import { openText } from "../api.js";
import { badge, h } from "../dom.js";
import { ago, duration, exactly, size } from "../format.js";
import { scrolling } from "../tables.js";
import { table } from "./trainings.js";
import { tried } from "./training.js";

const TONES = { pushed: "good", failed: "bad", waiting: "info live" };
const SMALLEST = 0.4; // per cent of a bar that a layer has at least, to be seen

export function images(versions) {
  const shown = versions.filter((one) => one.image);
  if (!shown.length) return false;
  const log = h("button", { class: "button slim", type: "button", on: { click: () => tried(() => openText("/api/v1/image-builder/log")) } }, "The builder's log");
  return h("section", { class: "card", "aria-labelledby": "images" },
    h("div", { class: "card-head row apart" }, h("h2", { id: "images" }, "Images"), log),
    h("ul", { class: "images" }, shown.map(line)));
}

function line(one) {
  const image = one.image;
  const head = h("div", { class: "row apart" },
    h("div", { class: "row" }, h("strong", {}, `Version ${one.version}`), badge(image.state, TONES[image.state])),
    image.at && h("span", { class: "tiny muted", title: exactly(image.at) }, ago(image.at)));
  return h("li", { class: "stack" }, head, ...body(one));
}

function body(one) {
  const { image } = one;
  if (image.state === "waiting") return [h("p", { class: "small muted" }, "The image builder makes it next; until then the alias waits.")];
  if (image.state === "failed") return [h("p", { class: "small" }, image.reason), h("p", { class: "tiny muted", title: exactly(image.nextTry) }, `Tried ${image.tries} time${image.tries === 1 ? "" : "s"}; the next try is at ${new Date(image.nextTry).toLocaleTimeString()}.`)];
  const fresh = image.layers.filter((layer) => layer.new);
  const told = `${size(image.size)} in ${image.layers.length} layers · ${fresh.length} new (${size(sum(fresh))}) · ${size(image.sent)} sent · built and pushed in ${duration(image.seconds)}`;
  return [
    h("code", { class: "reference" }, image.reference),
    bar(image),
    h("p", { class: "tiny muted" }, told),
    image.missing_libraries.length > 0 && h("p", { class: "tiny warn-text" }, `Native libraries that it lacks: ${image.missing_libraries.join("; ")}`),
    details(one),
  ].filter(Boolean);
}

const sum = (layers) => layers.reduce((total, layer) => total + layer.size, 0);

function bar(image) {
  const fresh = image.layers.filter((layer) => layer.new);
  const part = (layer) => h("i", { class: `${layer.kind} ${layer.new ? "new" : "shared"}`, title: `${layer.title}: ${size(layer.size)}${layer.new ? ", new" : ", shared"}`, style: { "flex-grow": String(Math.max(SMALLEST, (100 * layer.size) / (image.size || 1))) } });
  return h("div", { class: "layers", role: "img", "aria-label": `${fresh.length} of ${image.layers.length} layers are new: ${size(sum(fresh))} of ${size(image.size)}` }, image.layers.map(part));
}

function details(one) {
  const row = (layer) => h("tr", {},
    h("td", { class: "small" }, layer.kind),
    h("td", { class: "small" }, layer.title),
    h("td", { class: "small" }, layer.new ? badge("new", "accent plain") : h("span", { class: "muted" }, "shared")),
    h("td", { class: "number small nowrap" }, size(layer.size)));
  return h("details", {}, h("summary", { class: "small" }, "Layers"), scrolling(`Layers of version ${one.version}`, table(["Layer", "What", "New", "Size"], one.image.layers.map(row), ["Size"])));
}
