// Which page a path is.

import "../frame.js";
import { Problem } from "../api.js";
import { empty, h, notice, show } from "../dom.js";
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
  const [, kind, name] = location.pathname.split("/").map(decodeURIComponent);
  if (kind !== "models") live.start();
  try {
    await (name && ONE[kind] ? ONE[kind](page, name) : PAGES[kind](page));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const drawn = error.status === 404
      ? [h("h1", { class: "visually-hidden" }, kind[0].toUpperCase() + kind.slice(1)), h("div", { class: "card" }, empty("search", "Not found", h("p", {}, error.message), h("a", { class: "button", href: `/${kind}` }, "Back")))]
      : notice("bad", `${error.title}.`, error.message);
    show(page, drawn);
  }
  page.removeAttribute("aria-busy");
}

begin();
