// Every run: how it is, how far, how long.

import { empty, h, show } from "../dom.js";
import { part } from "../api.js";
import { ago, between, duration, exactly } from "../format.js";
import { scrolling } from "../tables.js";
import { live } from "./live.js";
import { dots, phaseBadge, phaseOf, pipelineOf, stepsOf } from "./words.js";

const SHOWN = 200;

export function trainings(page) {
  document.title = "Trainings · Lykeion";
  const body = h("div", { class: "card" });
  show(page, h("div", { class: "heading" }, h("div", {}, h("h1", {}, "Trainings"), h("p", { class: "muted" }, "Every run of a pipeline, newest first."))), body);
  live.listen(() => draw(body));
  setInterval(() => live.isSynced && draw(body), 5000);
}

function draw(body) {
  const all = live.list("Training");
  if (!all.length) {
    show(body, empty("play", "No trainings yet", h("p", {}, "Run a pipeline, here or from a terminal:"), h("p", {}, h("code", {}, "lykeion run pipeline.yaml")), h("a", { class: "button", href: "/pipelines" }, "Pipelines")));
    return;
  }
  const rows = all.slice(0, SHOWN).map(row);
  const focused = body.contains(document.activeElement) && document.activeElement.getAttribute("href");
  show(body, scrolling("Trainings", table(["Name", "State", "Steps", "Cache", "Took", "Started"], rows, [], true)), all.length > SHOWN && h("p", { class: "card-body muted small" }, `The ${SHOWN} newest of ${all.length}.`));
  if (focused) body.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

export function table(names, rows, numbers = [], isFolded = false) {
  const heads = names.map((name) => h("th", { scope: "col", class: numbers.includes(name) ? "number" : "" }, name));
  return h("table", { class: isFolded ? "fold" : "" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
}

function row(training) {
  const status = training.status || {};
  const steps = stepsOf(training);
  const hits = steps.filter((step) => step.cache === "hit").length;
  const link = h("a", { href: `/trainings/${part(training.metadata.name)}` }, training.metadata.name);
  return h("tr", {},
    h("td", {}, h("strong", {}, link), h("div", { class: "tiny muted" }, pipelineOf(training))),
    h("td", {}, phaseBadge(phaseOf(training))),
    h("td", {}, steps.length ? dots(steps) : h("span", { class: "muted small" }, "not planned yet")),
    h("td", { class: "small muted nowrap" }, steps.length ? `${hits} hit${hits === 1 ? "" : "s"}` : ""),
    h("td", { class: "small nowrap" }, duration(between(status.startedAt, status.finishedAt))),
    h("td", { class: "small muted nowrap", title: exactly(training.metadata.creationTimestamp) }, ago(status.startedAt || training.metadata.creationTimestamp)));
}
