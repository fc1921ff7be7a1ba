// The pipelines: their steps, and a form to run one.

import { part, Problem, send } from "../api.js";
import { ask, empty, h, icon, notice, show } from "../dom.js";
import { ago } from "../format.js";
import { at } from "../place.js";
import { live } from "./live.js";
import { phaseBadge, phaseOf, pipelineOf, reasonOf } from "./words.js";

export function pipelines(page) {
  document.title = "Pipelines · Lykeion";
  const body = h("div");
  show(page, h("div", { class: "heading" }, h("div", {}, h("h1", {}, "Pipelines"), h("p", { class: "muted" }, "Steps that make outputs from outputs, and what of them is published."))), body);
  live.listen(() => {
    const all = live.list("Pipeline");
    show(body, all.length ? h("div", { class: "stack" }, all.map(card)) : h("div", { class: "card" }, empty("box", "No pipelines yet", h("p", {}, "Apply one:"), h("p", {}, h("code", {}, "lykeion apply pipeline.yaml")))));
  });
}

function card(pipeline) {
  const { name } = pipeline.metadata;
  const runs = live.list("Training").filter((training) => pipelineOf(training) === name).slice(0, 3);
  const why = reasonOf(pipeline);
  return h("section", { class: "card", "aria-label": name },
    h("div", { class: "card-head" }, h("h2", {}, name), h("button", { class: "button primary slim", type: "button", on: { click: () => run(pipeline) } }, icon("play"), "Run")),
    h("div", { class: "card-body stack" },
      why && notice("bad", "It cannot run.", why),
      h("ol", { class: "flow", "aria-label": "Steps" }, pipeline.spec.steps.map((step) => h("li", { title: step.component || step.image }, step.name))),
      (pipeline.spec.publish || []).length > 0 && h("p", { class: "small muted" }, "publishes ", pipeline.spec.publish.map((one) => `${one.model} (${one.output})`).join(", ")),
      runs.length > 0 && h("ul", { class: "stack small" }, runs.map((training) => h("li", { class: "row" }, phaseBadge(phaseOf(training)), h("a", { href: `/trainings/${part(training.metadata.name)}` }, training.metadata.name), h("span", { class: "muted" }, ago(training.metadata.creationTimestamp)))))));
}

async function run(pipeline, given = {}, problem = null) {
  const parameters = Object.entries(pipeline.spec.parameters || {});
  const fields = parameters.map(([name, declared]) => {
    const value = given[name] ?? (declared.default === undefined || declared.default === null ? "" : String(declared.default));
    const isRequired = declared.default === undefined || declared.default === null;
    const type = declared.type || "string";
    return h("label", { class: "field" }, h("span", {}, name, " ", h("span", { class: "muted" }, `${type}${isRequired ? ", must be given" : ""}`)), h("input", { class: "input", name, value, required: isRequired, autocomplete: "off" }), declared.description && h("span", { class: "muted" }, declared.description));
  });
  const said = await ask(`Run ${pipeline.metadata.name}`, [problem && notice("bad", `${problem.title}.`, problem.message), ...(fields.length ? fields : [h("p", { class: "muted" }, "It has no parameters.")])], "Run");
  if (!said) return;
  const chosen = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== ""));
  try {
    const made = await send("POST", `/api/v1/pipelines/${part(pipeline.metadata.name)}:run`, { parameters: chosen });
    location.assign(at(`/trainings/${part(made.metadata.name)}`));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    await run(pipeline, said, error);
  }
}
