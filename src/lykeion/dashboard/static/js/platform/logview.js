// A step's log: the end of it, then what is added while the step runs.

import { part, request } from "../api.js";
import { h } from "../dom.js";
import { Terminal } from "../terminal.js";

const KEPT = 400_000; // characters on the page

export function logView(training, step) {
  const text = h("pre", { class: "log", tabindex: "0", role: "region", "aria-label": `Log of ${step}` }, "…");
  const ended = new AbortController();
  read(text, `/api/v1/trainings/${part(training)}/logs/${part(step)}?follow=1`, ended.signal);
  return { element: text, close: () => ended.abort() };
}

async function read(text, url, signal) {
  try {
    const answer = await request(url, { signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const isCut = Number(answer.headers.get("lykeion-log-offset")) > 0;
    const lines = new Lines(text, isCut ? "… earlier lines are in the file\n" : "");
    text.textContent = isCut ? lines.before : "The log is empty so far.";
    for (;;) {
      const { done, value } = await reader.read();
      const isAtEnd = text.scrollHeight - text.scrollTop - text.clientHeight < 30;
      lines.add(done ? lines.terminal.end() : lines.terminal.read(value));
      if (isAtEnd) text.scrollTop = text.scrollHeight;
      if (done) break;
    }
    if (!lines.length && !isCut) text.textContent = "The step wrote nothing.";
  } catch (error) {
    if (error.name !== "AbortError") text.append(`\n${error.message}`);
  }
}

// The pieces on the page; the first go when there are too many.
class Lines {
  constructor(place, before) {
    this.place = place;
    this.before = before;
    this.terminal = new Terminal();
    this.length = 0;
  }

  add(pieces) {
    if (!pieces.length) return;
    if (!this.length) this.place.replaceChildren(this.before);
    this.place.append(...pieces.map((piece) => (piece.style ? h("span", { class: piece.style }, piece.text) : piece.text)));
    this.length += pieces.reduce((total, piece) => total + piece.text.length, 0);
    while (this.length > KEPT && this.place.childNodes.length > 1) {
      this.length -= this.place.firstChild.textContent.length;
      this.place.firstChild.remove();
    }
  }
}
