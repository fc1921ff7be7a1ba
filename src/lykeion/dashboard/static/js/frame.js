// What every page has: which part of the platform it is, and how the platform is.

import { badge, show } from "./dom.js";
import { at, parts, ROOT } from "./place.js";

export function markPage() {
  const [here] = parts();
  for (const link of document.querySelectorAll(".nav a")) {
    if (link.pathname.slice(ROOT.length) === here) {
      link.setAttribute("aria-current", "page");
      const bar = link.parentElement; // a narrow screen shows a part of it
      bar.scrollLeft = link.offsetLeft - bar.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
    }
  }
}

export async function sayStanding() {
  const place = document.getElementById("standing");
  try {
    const answer = await fetch(at("/readyz"));
    const said = await answer.json();
    const failed = said.servings.filter((one) => one.state === "Failed").length;
    const waiting = said.servings.filter((one) => one.state === "Waiting").length;
    if (failed) show(place, badge(`${failed} failed`, "bad"));
    else if (waiting) show(place, badge("starting", "warn live"));
    else show(place, badge("ready", "good"));
  } catch {
    show(place, badge("not reachable", "bad"));
  }
}

markPage();
sayStanding();
setInterval(sayStanding, 10000);
