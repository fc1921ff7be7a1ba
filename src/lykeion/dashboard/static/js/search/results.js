// The answer, drawn: cards, placeholders, and what to say when there is nothing or only a part.

import { badge, empty, h, meter, notice, show } from "../dom.js";
import { count, price } from "../format.js";

export function card(item, isFirst, moreLike) {
  const title = item.title || item.id;
  const image = item.picture && h("img", { src: `${item.picture}?size=256`, alt: title, loading: isFirst ? "eager" : "lazy", decoding: "async", width: "256", height: "256" });
  const frame = h("div", { class: "picture" }, image || "no picture");
  if (!image) frame.classList.add("missing");
  image?.addEventListener("error", () => {
    frame.classList.add("missing");
    frame.replaceChildren("picture not available");
  });
  const gone = item.status && item.status !== "on_sale";
  const alike = Math.max(0, Math.min(1, item.score));
  return h("li", { class: "item", data: { id: item.id } },
    frame,
    gone && badge(item.status.replaceAll("_", " "), "warn"),
    h("div", { class: "about" },
      h("div", { class: "title", title }, title),
      h("div", { class: "row apart small" },
        h("span", { class: "muted" }, item.category || ""),
        item.price !== null && item.price !== undefined && h("span", { class: "price" }, price(item.price))),
      h("div", { class: "score" }, meter(alike, `Likeness of ${title}`, { role: "meter", text: `${item.score.toFixed(3)} of 1` }), h("span", { title: "Cosine of the two pictures' vectors" }, item.score.toFixed(3)))),
    h("button", { class: "button slim", type: "button", "aria-label": `More like this: ${title}`, on: { click: () => moreLike(item) } }, "More like this"));
}

export function placeholders(many) {
  return Array.from({ length: many }, () => h("li", { class: "item placeholder", "aria-hidden": "true" },
    h("div", { class: "picture skeleton" }),
    h("div", { class: "about" }, h("div", { class: "skeleton" }), h("div", { class: "skeleton" }))));
}

export function say(answer) {
  const many = answer.items.length;
  return `${count(many)} ${many === 1 ? "item" : "items"} in ${answer.took_ms < 10 ? Number(answer.took_ms).toFixed(1) : Math.round(answer.took_ms)} ms`;
}

export function drawNotices(place, answer) {
  const dead = (answer.indexes || []).filter((index) => index.answered === false).length;
  show(place, answer.partial && notice("warn", "A part is missing.", dead ? `${dead} of ${answer.indexes.length} indexes did not answer; ` : "Some indexes did not answer; ", "what is shown is right, but there may be more."));
}

export function drawNothing(isFiltered, clear) {
  const way = isFiltered ? h("button", { class: "button", type: "button", on: { click: clear } }, "Remove the filters") : h("p", {}, "Try another photo, or one from closer by.");
  return h("li", { class: "grow", style: { "grid-column": "1 / -1" } }, empty("search", "Nothing found", isFiltered && h("p", {}, "No item that looks like this passes the filters."), way));
}

const SPOILT = [413, 415, 422]; // it is the photo that cannot be searched by: the same one again would not help

export function drawProblem(problem, again, isPhoto) {
  const way = isPhoto && SPOILT.includes(problem.status)
    ? h("button", { class: "button slim", type: "button", data: { choose: "file" } }, "Choose another photo")
    : h("button", { class: "button slim", type: "button", on: { click: again } }, "Try again");
  return h("div", { class: "stack" },
    notice("bad", `${problem.title}.`, problem.message),
    problem.errors?.length > 1 && h("ul", { class: "small" }, problem.errors.map((one) => h("li", {}, one.field ? `${one.field}: ` : "", one.message))),
    h("div", { class: "row" }, way));
}
