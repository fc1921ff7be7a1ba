// One model: its versions with metrics and lineage, its aliases with their history, and the way back.

import { get, part, send } from "../api.js";
import { ask, badge, h, icon, show, toast } from "../dom.js";
import { ago, exactly, metric, size } from "../format.js";
import { scrolling } from "../tables.js";
import { chart, named } from "./chart.js";
import { images } from "./images.js";
import { aliasBadge, newest } from "./models.js";
import { table } from "./trainings.js";
import { tried } from "./training.js";

const COLUMNS = 3;

export async function model(page, name) {
  document.title = `${name} · Lykeion`;
  draw(page, await get(`/api/v1/models/${part(name)}`));
}

function draw(page, found) {
  const aliases = Object.entries(found.aliases);
  const metrics = named(found.versions, found.gate.metrics);
  const back = aliases.filter(([alias]) => found.history[alias].some((move) => move.previous)).map(([alias]) =>
    h("button", { class: "button", type: "button", on: { click: () => rollBack(page, found, alias) } }, icon("back"), `Roll back ${alias}`));
  show(page,
    h("div", { class: "heading" },
      h("div", {}, h("p", { class: "crumbs" }, h("a", { href: "/models" }, "Models")), h("div", { class: "row" }, h("h1", {}, found.name), aliases.map(([alias, version]) => aliasBadge(alias, version)))),
      h("div", { class: "row" }, back)),
    metrics.length > 0 && trend(metrics, found),
    h("div", { class: "two" },
      h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", {}, "Versions")), scrolling("Versions", table(["Version", "In use as", ...metrics.slice(0, COLUMNS).map(words), "Size", "Made", "Use"], found.versions.map((one) => row(page, found, one, metrics)), metrics.map(words).concat("Size")))),
      h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", {}, "Aliases")), h("div", { class: "card-body stack" }, aliases.length ? aliases.map(([alias]) => history(alias, found.history[alias])) : h("p", { class: "muted small" }, "No alias names a version yet.")))),
    images(found.versions));
}

const words = (name) => name.replaceAll("_", " ");

// One metric over the versions: the gate's first, any other by choice.
function trend(metrics, found) {
  const versions = [...found.versions].reverse();
  const drawn = h("div", {});
  const value = h("strong", {});
  const draw = (name) => {
    show(drawn, chart(name, versions, found.aliases));
    value.textContent = newest(name, versions);
  };
  const options = metrics.map((name) => h("option", { value: name }, words(name)));
  const choice = metrics.length > 1
    ? h("select", { class: "input slim", "aria-label": "Metric", on: { change: (event) => draw(event.target.value) } }, options)
    : h("span", { class: "muted" }, words(metrics[0]));
  draw(metrics[0]);
  return h("section", { class: "card padded stack", "aria-label": "Metric over versions" },
    h("div", { class: "row apart small" }, h("span", { class: "row" }, choice, value), found.gate.requires && h("span", { class: "muted" }, "an alias moves if ", h("code", {}, found.gate.requires))),
    drawn);
}

function row(page, found, one, metrics) {
  const training = one.lineage?.training;
  const use = one.aliases.includes("stable") ? null : h("button", { class: "button slim", type: "button", "aria-label": `Make stable: version ${one.version}`, on: { click: () => move(page, found, one.version) } }, "Make stable");
  return h("tr", {},
    h("td", {}, h("strong", {}, String(one.version)), h("div", { class: "tiny muted mono", title: one.digest }, one.digest.replace("sha256:", "").slice(0, 10))),
    h("td", {}, h("span", { class: "row" }, one.aliases.map((alias) => aliasBadge(alias)))),
    metrics.slice(0, COLUMNS).map((name) => h("td", { class: "number" }, one.metrics[name] === undefined ? "" : metric(one.metrics[name]))),
    h("td", { class: "number nowrap" }, size(one.size)),
    h("td", { class: "small nowrap", title: exactly(one.created) }, ago(one.created), training && h("div", { class: "tiny" }, h("a", { href: `/trainings/${part(training)}` }, training))),
    h("td", { class: "number" }, use));
}

function history(alias, moves) {
  const line = (one) => h("li", {},
    h("div", { class: "row" }, h("strong", {}, one.version ? `version ${one.version}` : "taken away"), one.back && badge("rolled back", "warn plain")),
    h("div", { class: "muted" }, [one.previous && `before: ${one.previous}`, one.reason].filter(Boolean).join(" · ")),
    h("div", { class: "tiny muted", title: exactly(one.at) }, ago(one.at)));
  return h("div", { class: "stack" }, h("h3", {}, alias), h("ol", { class: "timeline" }, moves.slice(0, 12).map(line)));
}

async function write(page, found, alias, body, said) {
  const after = await tried(() => send("PUT", `/api/v1/models/${part(found.name)}/aliases/${part(alias)}`, body));
  if (after) {
    draw(page, after);
    toast(said(after.aliases[alias]));
    page.querySelector("h1").setAttribute("tabindex", "-1");
    page.querySelector("h1").focus();
  }
}

const reason = () => h("label", { class: "field" }, "Why", h("input", { class: "input", name: "reason", maxlength: "200", autocomplete: "off", placeholder: "for those who read the history" }));

async function rollBack(page, found, alias) {
  const said = await ask(`Roll ${found.name} back?`, [h("p", { class: "muted" }, `${alias} names version ${found.aliases[alias]}; it will name what it named before. What is served follows.`), reason()], "Roll back");
  if (said) await write(page, found, alias, { rollback: true, reason: said.reason || "rolled back" }, (now) => `${alias} names version ${now} again`);
}

async function move(page, found, version) {
  const said = await ask(`Make version ${version} of ${found.name} stable?`, [h("p", { class: "muted" }, "What is served follows."), reason()], "Make stable");
  if (said) await write(page, found, "stable", { version, reason: said.reason, expected: found.aliases.stable || 0 }, (now) => `stable names version ${now}`);
}
