// Requests to the platform. What fails is a Problem: the server's own words (RFC 9457), or that it cannot be reached.

export class Problem extends Error {
  constructor(said, status) {
    super(said.detail || said.title || "The platform did not say why.");
    this.title = said.title || "That did not work";
    this.status = status;
    this.errors = said.errors || [];
  }
}

export async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
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

export const part = encodeURIComponent;
