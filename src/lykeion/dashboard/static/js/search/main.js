// The search page: a state, what is asked for it, and what is drawn of the answer.

import "../frame.js";
import { get, part, Problem, request } from "../api.js";
import { empty, h, notice, show, toast } from "../dom.js";
import { Filters } from "./filters.js";
import { listen } from "./photo.js";
import { card, drawNothing, drawNotices, drawProblem, placeholders, say } from "./results.js";
import { plain } from "../terminal.js";
import { FIRST, isFiltered, MOST, nothing, query, read, unfiltered, write } from "./state.js";

const at = (id) => document.getElementById(id);
const photos = new Map(); // photos of this visit, so that the browser's Back finds them again
let families = [];
let state = read(location.search);
let photo = null; // {number, file, url}
let item = null; // the item that "more like this" began at, as far as it is known
let asking = null; // what ends the request that is under way
let described = ""; // the family whose fields the filters have
const filters = new Filters((change) => go({ ...state, ...change, k: FIRST }));

function go(next, { replace = false } = {}) {
  state = next;
  const kept = { photo: photo?.number ?? null, item };
  history[replace ? "replaceState" : "pushState"](kept, "", location.pathname + write(state));
  return run();
}

function takePhoto(file) {
  photo = { number: photos.size, file, url: URL.createObjectURL(file) };
  photos.set(photo.number, photo);
  item = null;
  scrollTo({ top: 0 });
  go({ ...state, item: "", k: FIRST });
}

function moreLike(chosen) {
  photo = null;
  item = { id: chosen.id, title: chosen.title, picture: chosen.picture };
  scrollTo({ top: 0 });
  go({ ...nothing, family: state.family, item: chosen.id });
}

function startAgain() {
  photo = null;
  item = null;
  go({ ...nothing, family: state.family });
}

function question() {
  const url = `/v1/search/${part(state.family)}?${query(state)}`;
  if (state.item) return [url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ item: state.item }) }];
  return [url, { method: "POST", headers: { "content-type": photo.file.type || "application/octet-stream" }, body: photo.file }];
}

async function run() {
  asking?.abort();
  const isAsked = photo !== null || state.item !== "";
  document.body.classList.toggle("searching", isAsked);
  at("start").hidden = isAsked;
  at("results").hidden = !isAsked;
  drawFamilies();
  const beside = isAsked ? document.querySelector(".query") : at("narrow");
  if (filters.place.parentElement !== beside) beside.append(filters.place); // what is moved loses the focus
  filters.draw(state);
  void describe();
  document.title = isAsked ? `${plain(item?.title || state.item || "Your photo")} · Lykeion` : "Search by photo · Lykeion";
  if (!isAsked || !state.family) return;
  asking = new AbortController();
  const { signal } = asking;
  drawQuery();
  show(at("grid"), placeholders(12));
  show(at("notices"));
  show(at("more"));
  at("grid").setAttribute("aria-busy", "true");
  at("status").textContent = "Searching …";
  try {
    const [url, options] = question();
    draw(await (await request(url, { ...options, signal })).json());
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    show(at("grid"));
    at("status").textContent = "";
    show(at("notices"), drawProblem(error, () => run(), photo !== null));
  }
  at("grid").setAttribute("aria-busy", "false");
}

function draw(answer) {
  if (state.item && !item) {
    const self = answer.items.find((one) => one.id === state.item);
    if (self) {
      item = self;
      drawQuery();
    }
  }
  drawNotices(at("notices"), answer);
  at("status").textContent = say(answer);
  show(at("grid"), answer.items.length
    ? answer.items.map((one, place) => card(one, place < 8, moreLike))
    : drawNothing(isFiltered(state), () => go({ ...state, ...unfiltered })));
  const isMore = answer.items.length >= state.k && state.k < MOST;
  show(at("more"), isMore && h("button", { class: "button", type: "button", on: { click: () => go({ ...state, k: Math.min(MOST, state.k + FIRST) }, { replace: true }) } }, "Show more"));
}

function drawQuery() {
  const source = photo ? photo.url : item?.picture && `${item.picture}?size=512`;
  const title = photo ? "Your photo" : item?.title || `Item ${state.item}`;
  const image = source && h("img", { src: source, alt: photo ? "The photo you searched by" : `Picture of ${title}` });
  image?.addEventListener("error", () => image.remove());
  const subject = h("div", { class: "card subject" },
    h("div", { class: "preview" }, image),
    h("div", { class: "card-body" },
      h("div", {}, h("p", { class: "tiny muted" }, photo ? "Looks like" : "More like"), h("h2", {}, title)),
      h("div", { class: "row" },
        h("button", { class: "button slim primary", type: "button", data: { choose: "file" } }, "New photo"),
        h("button", { class: "button slim only-touch", type: "button", data: { choose: "camera" } }, "Camera"),
        h("button", { class: "button slim", type: "button", on: { click: startAgain } }, "Clear"))));
  show(at("subject"), subject);
  at("share").hidden = photo !== null;
}

// What the family can be filtered by; asked once for each family that is looked at, again while it is not told.
async function describe() {
  const { family } = state;
  if (!family || family === described) return;
  described = family;
  filters.describe([]);
  filters.draw(state);
  show(at("unready"));
  try {
    const { fields = [] } = await get(`/v1/search/${part(family)}`);
    if (family !== described) return;
    if (!fields.length) described = "";
    filters.describe(fields);
    filters.draw(state);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (family !== described) return;
    described = "";
    show(at("unready"), notice("warn", "Not ready yet.", error.message));
  }
}

function drawFamilies() {
  const place = at("families");
  place.hidden = families.length < 2;
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", "What to search");
  const choose = (family) => go({ ...nothing, family, item: "" });
  show(place, families.map((one) => h("button", { class: "chip", type: "button", "aria-pressed": String(one.family === state.family), on: { click: () => choose(one.family) } }, one.family)));
}

async function drawSamples() {
  const { pictures } = await get("/api/v1/pictures?count=8");
  if (!pictures.length) return;
  const pick = async (address) => {
    const answer = await request(`${address}?size=512`);
    takePhoto(new File([await answer.blob()], "sample.webp", { type: "image/webp" }));
  };
  const buttons = pictures.map((address, place) => h("li", {}, h("button", { class: "sample", type: "button", "aria-label": `Search by sample picture ${place + 1}`, on: { click: () => pick(address) } }, h("img", { src: `${address}?size=128`, alt: "" }))));
  show(at("samples"), h("p", { class: "muted small" }, families.length > 1 ? "or start from a picture of one of the catalogues" : "or start from a picture of the catalogue"), h("ul", {}, buttons));
  at("samples").hidden = false;
}

async function begin() {
  listen(takePhoto, toast);
  at("share").addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href);
    toast("Link copied");
  });
  addEventListener("popstate", (event) => {
    state = { ...read(location.search), family: read(location.search).family || state.family };
    photo = photos.get(event.state?.photo) || null;
    item = event.state?.item || null;
    run();
  });
  try {
    ({ families } = await get("/v1/search/"));
  } catch (error) {
    show(at("start"), notice("bad", `${error.title}.`, error.message));
    return;
  }
  if (!families.length) {
    show(at("start"), h("div", { class: "card" }, empty("box", "Nothing to search yet",
      h("p", {}, "Index a catalogue, and its search appears here:"),
      h("p", {}, h("code", {}, "lykeion run examples/photo-search/pipeline.yaml -p listings=FILE")),
      h("a", { class: "button", href: "/pipelines" }, "Pipelines"))));
    return;
  }
  if (!families.some((one) => one.family === state.family)) state.family = families[0].family;
  await run();
  if (!state.item) await drawSamples();
}

begin();
