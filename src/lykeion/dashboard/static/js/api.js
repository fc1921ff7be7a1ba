// Requests to the platform. What fails is a Problem: the server's own words (RFC 9457), or that it cannot be reached.

import { at } from "./place.js";

const TOKEN = "lykeion-token";

// The token comes in the fragment, which is sent to nobody. A tab keeps it: a cookie would be shown to every other port of this machine.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(history.state, "", location.pathname + location.search);
  return true;
}

takeToken();
addEventListener("hashchange", () => takeToken() && location.reload());

export class Problem extends Error {
  constructor(said, status) {
    super(said.detail || said.title || "The platform did not say why.");
    this.title = said.title || "That did not work";
    this.status = status;
    this.errors = said.errors || [];
  }
}

export async function request(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token && { "x-lykeion-token": token }) };
  let answer;
  try {
    answer = await fetch(at(path), { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "No connection", detail: "The platform does not answer. Is `lykeion up` running?" }, 0);
  }
  if (answer.ok) return answer;
  let said = {};
  try {
    said = await answer.json();
  } catch {
    said = { title: answer.statusText || `Error ${answer.status}` };
  }
  throw new Problem(said, answer.status);
}

export async function get(path, options) {
  return (await request(path, options)).json();
}

export async function send(method, path, body) {
  const answer = await request(path, { method, headers: { "content-type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
}

// Server-sent events, each {event, data}, until the line ends. EventSource cannot show the token.
export async function* events(path, options) {
  const reader = (await request(path, options)).body.pipeThrough(new TextDecoderStream()).getReader();
  let heard = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (heard + value).split("\n\n");
    heard = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").map((line) => /^(\w*): ?(.*)$/.exec(line)).filter(Boolean);
      const said = Object.fromEntries(lines.map(([, name, text]) => [name, text]));
      if (said.event) yield said;
    }
  }
}

// What a link would show, in a tab of its own: a link cannot show the token.
export async function openText(path) {
  const answer = await request(path);
  window.open(URL.createObjectURL(await answer.blob()), "_blank");
}

export const part = encodeURIComponent;
