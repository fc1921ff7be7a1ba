// What the steps of a run set aside, and why: rows and pictures, with a thumbnail where there is one.

import { get, part } from "../api.js";
import { badge, h, show, toast } from "../dom.js";
import { count } from "../format.js";
import { stepsOf } from "./words.js";

const PAGE = 20;

export function setAside(name) {
  const element = h("section", { class: "card", "aria-labelledby": "set-aside", hidden: true });
  let seen = "";
  const look = (found) => {
    const ended = stepsOf(found).filter((step) => ["Succeeded", "Cached"].includes(step.phase)).map((step) => step.key).join();
    if (ended === seen) return;
    seen = ended;
    page(name, 0).then((told) => draw(element, name, told), () => { seen = ""; }); // asked again with the next change
  };
  return { element, look };
}

const page = (name, offset) => get(`/api/v1/trainings/${part(name)}/quarantine?limit=${PAGE}&offset=${offset}`);

function draw(place, name, told) {
  place.hidden = !told.total;
  const list = h("ol", { class: "aside" }, told.items.map(line));
  const more = h("button", { class: "button slim", type: "button", on: { click: () => addTo(list, more, name) } }, "Show more");
  show(place,
    h("div", { class: "card-head row apart" }, h("h2", { id: "set-aside" }, "Set aside"), badge(count(told.total), "warn plain")),
    h("ul", { class: "card-body small" }, told.reasons.map(reason)),
    list,
    h("div", { class: "card-body", hidden: !told.metadata.remainingItemCount }, more));
}

async function addTo(list, more, name) {
  try {
    const told = await page(name, list.children.length);
    list.append(...told.items.map(line));
    more.parentElement.hidden = !told.metadata.remainingItemCount;
  } catch (error) {
    toast(`${error.title}: ${error.message}`);
  }
}

const reason = (one) => h("li", {}, h("strong", {}, `${count(one.total)} ${one.kind}${one.total === 1 ? "" : "s"}`), ` in ${one.step}: ${one.reason}`);

function line(one) {
  return h("li", {},
    one.picture && thumbnail(one.picture),
    h("div", {},
      h("div", { class: "small" }, h("strong", {}, one.item), ` ${one.reason}`),
      h("div", { class: "tiny muted mono" }, [one.step, one.what].filter(Boolean).join(" · "))));
}

function thumbnail(address) {
  const drawn = h("img", { src: `${address}?size=64`, alt: "", loading: "lazy", width: 48, height: 48, on: { error: () => drawn.remove() } });
  return drawn;
}
