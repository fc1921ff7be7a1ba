// A step's log: the end of it, then what is added while the step runs.

import { part, request } from "../api.js";
import { h } from "../dom.js";

const KEPT = 400_000; // characters on the page

export function logView(training, step) {
  const text = h("pre", { class: "log", tabindex: "0", "aria-label": `Log of ${step}` }, "…");
  const ended = new AbortController();
  read(text, `/api/v1/trainings/${part(training)}/logs/${part(step)}?follow=1`, ended.signal);
  return { element: text, close: () => ended.abort() };
}

async function read(text, url, signal) {
  try {
    const answer = await request(url, { signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const isCut = Number(answer.headers.get("lykeion-log-offset")) > 0;
    let said = isCut ? "… earlier lines are in the file\n" : "";
    text.textContent = said || "The log is empty so far.";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const isAtEnd = text.scrollHeight - text.scrollTop - text.clientHeight < 30;
      said = (said + value).slice(-KEPT);
      text.textContent = said;
      if (isAtEnd) text.scrollTop = text.scrollHeight;
    }
    if (!said) text.textContent = "The step wrote nothing.";
  } catch (error) {
    if (error.name !== "AbortError") text.textContent += `\n${error.message}`;
  }
}
