// One run: its steps with times, cache and logs; what it published; what happened.

import { get, part, send } from "../api.js";
import { ask, badge, empty, h, icon, notice, show, toast } from "../dom.js";
import { ago, between, duration, exactly } from "../format.js";
import { at } from "../place.js";
import { live } from "./live.js";
import { setAside } from "./quarantine.js";
import { stepRows } from "./steps.js";
import { isOver, phaseBadge, phaseOf, pipelineOf, reasonOf, stepsOf } from "./words.js";

const LOOK_EVERY = 3000; // milliseconds, while a version waits for its image

export function training(page, name) {
  document.title = `${name} · Lykeion`;
  const head = h("div", { class: "heading" });
  const notes = h("div", { class: "stack" });
  const rows = stepRows(name);
  const steps = h("section", { class: "card", "aria-label": "Steps" }, h("div", { class: "card-head" }, h("h2", {}, "Steps"), h("span", { class: "small muted", id: "sum" })), rows.element);
  const aside = setAside(name);
  const side = h("div", { class: "stack" });
  const events = h("section", { class: "card" });
  const whole = h("div", { class: "two" }, h("div", { class: "stack" }, notes, steps, aside.element), h("div", { class: "stack" }, side, events));
  const models = new Map(); // what the repository says now of those that versions were published of
  let shown = "";
  let idle = ""; // why nobody runs it, while nobody does
  const draw = () => {
    const found = live.get("Training", name);
    if (!found) {
      show(page, h("h1", { class: "visually-hidden" }, "Trainings"), h("div", { class: "card" }, empty("search", `No training ${name}`, h("a", { class: "button", href: "/trainings" }, "All trainings"))));
      shown = "";
      return;
    }
    if (!whole.isConnected) show(page, head, whole);
    drawHead(head, found, name, idle);
    const published = publishedOf(found, models);
    drawNotes(notes, found, published);
    rows.draw(found);
    drawSide(side, found, published);
    document.getElementById("sum").textContent = sum(stepsOf(found));
    const version = found.metadata.resourceVersion;
    const isNew = version !== shown;
    shown = version;
    if (!isNew) return;
    drawEvents(events, name);
    aside.look(found);
    look();
  };
  const look = async () => {
    const published = live.get("Training", name)?.status?.published || [];
    for (const model of new Set(published.map((one) => one.model))) models.set(model, await get(`/api/v1/models/${part(model)}`).catch(() => null));
    if (published.length) draw();
  };
  const ask = () => get(`/api/v1/trainings/${part(name)}/steps`).then(({ items, whyNotDriven }) => {
    rows.order(items);
    idle = whyNotDriven || "";
    if (live.isSynced) draw();
  }, () => {}); // without it the steps are shown all the same
  ask();
  setInterval(() => idle && ask(), LOOK_EVERY);
  live.listen(draw);
  setInterval(() => publishedOf(live.get("Training", name), models).some((one) => one.image?.state === "waiting") && look(), LOOK_EVERY);
  setInterval(() => live.isSynced && !isOver(live.get("Training", name) || { status: { phase: "Failed" } }) && draw(), 1000);
}

function drawHead(place, found, name, idle) {
  const over = isOver(found);
  const act = over
    ? h("button", { class: "button primary", type: "button", on: { click: () => again(name) } }, icon("play"), "Run again")
    : h("button", { class: "button danger", type: "button", on: { click: () => cancel(name) } }, "Cancel");
  const kept = place.querySelector("button") && document.activeElement === place.querySelector("button");
  show(place,
    h("div", {}, h("p", { class: "crumbs" }, h("a", { href: "/trainings" }, "Trainings"), pipelineOf(found) && ` · ${pipelineOf(found)}`),
      h("div", { class: "row" }, h("h1", {}, name), phaseBadge(phaseOf(found))),
      !over && idle && h("p", { class: "muted small" }, idle)),
    act);
  if (kept) act.focus();
}

// The versions that a run published, as they stand now; as they stood when it ended, until that is known.
function publishedOf(found, models) {
  return (found?.status?.published || []).map((one) => {
    const model = models.get(one.model);
    const names = model ? Object.keys(model.aliases).filter((alias) => model.aliases[alias] === one.version) : [one.moved].filter(Boolean);
    return { ...one, names, image: model?.versions.find((each) => each.version === one.version)?.image };
  });
}

function drawNotes(place, found, published) {
  const why = phaseOf(found) === "Failed" ? reasonOf(found) : "";
  show(place, why && notice("bad", "It failed.", why), live.isLost && notice("warn", "The connection is lost.", "What you see may be old; it is tried again."),
    published.filter((one) => one.whyNot && !one.names.length).map((one) => notice("warn", `${one.model} ${one.version} is not in use.`, one.image?.state === "failed" ? `Its image could not be made: ${one.image.reason}` : one.whyNot)));
}

function sum(steps) {
  const hits = steps.filter((step) => step.cache === "hit").length;
  const cpu = steps.reduce((total, step) => total + (step.cpuSeconds || 0), 0);
  return [steps.length && `${hits} of ${steps.length} from the cache`, cpu > 0 && `${duration(cpu)} of CPU`].filter(Boolean).join(" · ");
}

function drawSide(place, found, published) {
  const status = found.status || {};
  const took = duration(between(status.startedAt, status.finishedAt));
  const parameters = Object.entries(found.spec.parameters || {});
  show(place,
    h("section", { class: "card card-body" }, h("dl", { class: "facts" },
      fact("Started", status.startedAt ? ago(status.startedAt) : "not yet", status.startedAt && exactly(status.startedAt)),
      took && fact("Took", took),
      pipelineOf(found) && fact("Pipeline", pipelineOf(found)),
      parameters.map(([key, value]) => fact(key, String(value))))),
    published.length > 0 && h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", {}, "Published")), h("div", { class: "card-body stack" }, published.map((one) =>
      h("div", { class: "row apart" }, h("a", { href: `/models/${part(one.model)}` }, `${one.model} ${one.version}`), h("span", { class: "row" }, uses(one)))))));
}

function uses(one) {
  if (one.names.length) return one.names.map((alias) => badge(alias, "accent plain"));
  return badge(one.moved ? `was ${one.moved}` : "kept", "plain");
}

const fact = (name, value, title) => h("div", {}, h("dt", {}, name), h("dd", { title }, value));

async function drawEvents(place, name) {
  const { items } = await get(`/api/v1/events?kind=Training&name=${part(name)}&limit=30`);
  place.hidden = !items.length;
  const line = (one) => h("li", {}, h("div", { class: "row" }, h("strong", {}, one.reason), one.count > 1 && badge(`× ${one.count}`, "plain"), h("span", { class: "muted tiny", title: exactly(one.lastSeen) }, ago(one.lastSeen))), h("div", { class: "muted" }, one.message));
  show(place, h("div", { class: "card-head" }, h("h2", {}, "Events")), h("div", { class: "card-body" }, h("ol", { class: "timeline" }, items.map(line))));
}

async function cancel(name) {
  if (!(await ask(`Cancel ${name}?`, [h("p", { class: "muted" }, "Steps that have ended stay in the cache; the running ones are ended.")], "Cancel it", { tone: "danger", leave: "Keep it running" }))) return;
  await tried(() => send("POST", `/api/v1/trainings/${part(name)}:cancel`));
}

async function again(name) {
  const made = await tried(() => send("POST", `/api/v1/trainings/${part(name)}:rerun`));
  if (made) location.assign(at(`/trainings/${part(made.metadata.name)}`));
}

export async function tried(act) {
  try {
    return await act();
  } catch (error) {
    toast(`${error.title}: ${error.message}`);
    return null;
  }
}

