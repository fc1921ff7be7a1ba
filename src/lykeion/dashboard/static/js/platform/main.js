// Which page a path is.

import "../frame.js";
import { Problem } from "../api.js";
import { empty, h, notice, show } from "../dom.js";
import { parts } from "../place.js";
import { live } from "./live.js";
import { model } from "./model.js";
import { models } from "./models.js";
import { pipelines } from "./pipelines.js";
import { servings } from "./servings.js";
import { training } from "./training.js";
import { trainings } from "./trainings.js";

const PAGES = { trainings, models, servings, pipelines };
const ONE = { trainings: training, models: model };

async function begin() {
  const page = document.getElementById("page");
  const [kind, name] = parts();
  if (kind !== "models") live.start((error) => show(page, title(kind), drawProblem(error, kind)));
  try {
    await (name && ONE[kind] ? ONE[kind](page, name) : PAGES[kind](page));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    show(page, title(kind), drawProblem(error, kind));
  }
  page.removeAttribute("aria-busy");
}

const title = (kind) => h("h1", { class: "visually-hidden" }, kind[0].toUpperCase() + kind.slice(1));

function drawProblem(error, kind) {
  if (error.status === 401) return locked();
  if (error.status !== 404) return notice("bad", `${error.title}.`, error.message);
  return h("div", { class: "card" }, empty("search", "Not found", h("p", {}, error.message), h("a", { class: "button", href: `/${kind}` }, "Back")));
}

// Anybody on the machine can reach the port; who started the platform proves to be it with the token.
function locked() {
  return h("div", { class: "card" }, empty("lock", "This tab may only search",
    h("p", {}, "Trainings, models and all the rest are for who runs this platform. In a terminal on its machine:"),
    h("p", {}, h("code", {}, "lykeion open")),
    h("p", {}, "It opens this page with the token of the install, which this tab lacks or which has changed."),
    h("a", { class: "button", href: "/" }, "Search")));
}

begin();
