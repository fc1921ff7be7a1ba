// Phases as tones and marks; what a training's steps add up to. Pure but for the elements it makes.

import { badge, h, icon } from "../dom.js";

const TONES = { Succeeded: "good", Cached: "info", Running: "accent live", Failed: "bad", Cancelled: "warn", Pending: "", Waiting: "", Skipped: "" };
const MARKS = { Succeeded: ["good", "check"], Cached: ["info", "cached"], Running: ["live", "spin"], Failed: ["bad", "cross"], Cancelled: ["warn", "skip"], Skipped: ["", "skip"], Waiting: ["", "wait"] };
const OVER = new Set(["Succeeded", "Failed", "Cancelled"]);

export const phaseOf = (training) => training.status?.phase || "Pending";
export const stepsOf = (training) => training.status?.steps || [];
export const isOver = (training) => OVER.has(phaseOf(training));
export const phaseOfStep = (step) => step.phase || "Waiting";
export const pipelineOf = (training) => training.spec.pipelineRef?.name || "";

export const phaseBadge = (phase) => badge(phase, TONES[phase] || "");

export function mark(phase) {
  const [tone, drawn] = MARKS[phase] || MARKS.Waiting;
  return h("span", { class: `mark ${tone}`, title: phase }, icon(drawn));
}

export function dots(steps) {
  const tone = (step) => ({ Succeeded: "good", Cached: "info", Failed: "bad", Running: "live" })[phaseOfStep(step)] || "";
  const isBad = steps.some((step) => phaseOfStep(step) === "Failed");
  const wanted = isBad ? steps : steps.filter((step) => phaseOfStep(step) !== "Skipped"); // without a failure, a skipped one was not needed
  const done = wanted.filter((step) => ["Succeeded", "Cached"].includes(phaseOfStep(step))).length;
  const shown = wanted.length > 12 ? [] : wanted.map((step) => h("i", { class: tone(step), title: `${step.name}: ${phaseOfStep(step)}` }));
  return h("div", { class: "row" }, shown.length > 0 && h("span", { class: "dots", "aria-hidden": "true" }, shown), h("span", { class: "small muted nowrap" }, `${done} of ${wanted.length}`));
}

// Why a step was passed over, as a word and a sentence: it was not needed, or one that it needs, directly or not, has no result.
// `needs`: name -> names of the steps whose outputs it reads; empty while that is not known.
export function whySkipped(step, steps, needs) {
  if (step.reason === "NotNeeded") return ["not needed", step.message];
  const before = new Set(needs.size ? needs.get(step.name) : steps.map((one) => one.name));
  for (const name of before) (needs.get(name) || []).forEach((other) => before.add(other));
  for (const [phase, verb] of [["Failed", "failed"], ["Cancelled", "was cancelled"]]) {
    const ended = steps.filter((one) => before.has(one.name) && phaseOfStep(one) === phase).map((one) => one.name);
    if (ended.length) return ["not run", `not run, because ${ended.join(" and ")} ${verb}`];
  }
  return ["not run", step.message];
}

export function reasonOf(resource) {
  const bad = (resource.status?.conditions || []).find((one) => one.status === "False" && one.message);
  return bad ? bad.message : "";
}

const STUCK = new Set(["CrashLoopBackOff", "NoVersion", "NoSpace", "Failed"]);

export function readiness(serving) {
  const ready = (serving.status?.conditions || []).find((one) => one.type === "Ready");
  if (ready?.status === "True") return ["Ready", "good", ready.message || ""];
  if (ready && STUCK.has(ready.reason)) return ["Failed", "bad", ready.message || ready.reason];
  return ["Starting", "warn live", ready?.message || ready?.reason || ""];
}
