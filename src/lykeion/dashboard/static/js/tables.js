// Wide tables: where one does not fit it can be scrolled, by finger, wheel and arrow keys, and says so.

import { h } from "./dom.js";

export function scrolling(name, table) {
  const hint = h("p", { class: "scroll-hint tiny muted", hidden: true, "aria-hidden": "true" }, "Scroll sideways for more →");
  const wrap = h("div", { class: "table-wrap" }, table);
  const watch = new ResizeObserver(() => {
    const isWide = wrap.scrollWidth > wrap.clientWidth + 1;
    hint.hidden = !isWide;
    if (isWide) Object.entries({ role: "region", tabindex: "0", "aria-label": `${name}, a table that scrolls sideways` }).forEach(([key, value]) => wrap.setAttribute(key, value));
    else ["role", "tabindex", "aria-label"].forEach((key) => wrap.removeAttribute(key));
  });
  watch.observe(wrap);
  watch.observe(table);
  return h("div", {}, hint, wrap);
}
