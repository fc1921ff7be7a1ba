// The steps of a run: in order, each with its place in time, its cache, and behind it key, metrics and log.

import { badge, h, meter, show } from "../dom.js";
import { between, count, duration, metric } from "../format.js";
import { logView } from "./logview.js";
import { isOver, mark, phaseOfStep, stepsOf, whySkipped } from "./words.js";

export function stepRows(training) {
  const element = h("div", { class: "steps" });
  const rows = new Map();
  let after = new Map();
  let opened = false; // the step that failed, once, when the run has ended
  return {
    element,
    order(items) {
      after = new Map(items.map((item) => [item.name, item.dependsOn]));
    },
    draw(found) {
      const steps = stepsOf(found);
      if (!steps.length) show(element, h("p", { class: "card-body muted" }, "It is being planned."));
      for (const step of steps) {
        if (!rows.has(step.name)) {
          if (!rows.size) show(element);
          const row = new Row(training, step.name);
          rows.set(step.name, row);
          element.append(row.element);
        }
        rows.get(step.name).draw(step, found.status, after);
      }
      if (!isOver(found) || opened) return;
      opened = true;
      const failed = steps.find((step) => phaseOfStep(step) === "Failed");
      if (failed) rows.get(failed.name).element.open = true;
    },
  };
}

class Row {
  constructor(training, name) {
    this.training = training;
    this.name = name;
    this.head = h("summary", {});
    this.facts = h("div", { class: "stack" });
    this.inside = h("div", { class: "inside" }, this.facts);
    this.element = h("details", { class: "step", data: { step: name } }, this.head, this.inside);
    this.element.addEventListener("toggle", () => this.toggle());
    this.rates = [];
  }

  toggle() {
    this.log?.close();
    this.log?.element.remove();
    this.log = null;
    if (this.element.open) {
      this.log = logView(this.training, this.name);
      this.inside.append(this.log.element);
    }
  }

  draw(step, status, needs) {
    const phase = phaseOfStep(step);
    const [skipped, why] = phase === "Skipped" ? whySkipped(step, status.steps, needs) : [];
    const after = needs.get(step.name) || [];
    const below = skipped ? h("div", { class: "because" }, why) : after.length > 0 && h("div", { class: "after" }, `after ${after.join(", ")}`);
    show(this.head, mark(phase),
      h("div", { class: "grow" }, h("div", { class: "name" }, step.name), below),
      h("div", { class: "cache" }, skipped ? badge(skipped, "plain") : cacheBadge(step)),
      phase === "Running" ? this.progress(step) : timeBar(step, status),
      h("span", { class: "number small duration" }, took(step)));
    show(this.facts, details(step, why || step.message));
  }

  // Rate and time left from what was seen since the page opened: a resumed step does not count what it found done.
  progress(step) {
    const now = Date.now();
    if (!step.total) return h("div", { class: "progress small muted" }, "running …");
    if (this.rates.at(-1)?.[1] !== step.done) this.rates = [...this.rates, [now, step.done || 0]].slice(-20);
    const [[first, from]] = this.rates;
    const [last, to] = this.rates.at(-1);
    const rate = last > first ? ((to - from) / (last - first)) * 1000 : 0;
    const left = rate > 0 ? `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s · ${duration((step.total - step.done) / rate)} left` : "";
    const said = `${count(step.done || 0)} of ${count(step.total)} ${step.unit || ""}`;
    return h("div", { class: "progress" }, meter((step.done || 0) / step.total, `Progress of ${step.name}`), h("div", { class: "row apart tiny muted" }, h("span", {}, said), h("span", {}, left)));
  }
}

function cacheBadge(step) {
  if (step.cache === "hit") return badge("cache hit", "info plain");
  if (step.cache === "miss") return badge("miss", "plain", { title: step.why });
  if (step.cache === "off") return badge("cache off", "plain", { title: step.why });
  return null;
}

const took = (step) => (step.startedAt ? duration(between(step.startedAt, step.finishedAt)) : "");

function timeBar(step, status) {
  const track = h("div", { class: "track", "aria-hidden": "true" });
  const start = new Date(status.startedAt).getTime();
  const whole = (status.finishedAt ? new Date(status.finishedAt).getTime() : Date.now()) - start;
  if (!step.startedAt || !(whole > 0)) return track;
  const from = (new Date(step.startedAt).getTime() - start) / whole;
  const until = ((step.finishedAt ? new Date(step.finishedAt).getTime() : Date.now()) - start) / whole;
  const tone = { Cached: "info", Failed: "bad", Cancelled: "warn" }[phaseOfStep(step)] || "";
  track.append(h("span", { class: tone, style: { left: `${Math.min(99, Math.max(0, from * 100))}%`, width: `${Math.max(0.5, Math.min(1, until) * 100 - from * 100)}%` } }));
  return track;
}

function details(step, message) {
  const metrics = Object.entries(step.metrics || {});
  const facts = [
    step.why && ["Why it ran", step.why],
    step.reason && phaseOfStep(step) !== "Skipped" && ["Reason", step.reason],
    (step.attempts || 0) > 1 && ["Attempts", String(step.attempts)],
    step.cpuSeconds > 0 && ["CPU", duration(step.cpuSeconds)],
    step.key && ["Key", h("code", { title: step.key }, step.key.slice(0, 16))],
    ...metrics.map(([name, value]) => [name.replaceAll("_", " "), metric(value)]),
  ].filter(Boolean);
  return [
    message && h("p", { class: phaseOfStep(step) === "Failed" ? "notice bad" : "muted small" }, message),
    facts.length > 0 && h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  ];
}
