// All resources as they are now, over one line of server-sent events.

import { events } from "../api.js";

const AGAIN = 2000; // milliseconds until a lost line is tried again

export class Live {
  constructor() {
    this.resources = new Map();
    this.heard = new Set();
    this.isSynced = false;
    this.isLost = false;
    this.drawn = 0;
  }

  // Listens until the page is left; `refused` hears why we may not, after which nothing is tried again.
  async start(refused) {
    const left = new AbortController();
    addEventListener("pagehide", () => left.abort());
    while (!left.signal.aborted) {
      try {
        await this.follow(left.signal);
      } catch (error) {
        if (left.signal.aborted) return;
        if (error.status === 401) return refused(error);
      }
      this.isLost = true;
      this.tell();
      await new Promise((rest) => setTimeout(rest, AGAIN));
    }
  }

  async follow(signal) {
    this.fresh = new Map();
    this.isSyncing = true;
    for await (const { event, data } of events("/api/v1/watch", { signal })) {
      this.isLost = false;
      if (event === "change") this.take(JSON.parse(data));
      else this.sync();
    }
  }

  sync() {
    this.resources = this.fresh;
    this.isSyncing = false;
    this.isSynced = true;
    this.tell();
  }

  take({ type, kind, name, object }) {
    const kept = this.isSyncing ? this.fresh : this.resources;
    if (type === "DELETED") kept.delete(`${kind}/${name}`);
    else kept.set(`${kind}/${name}`, object);
    if (!this.isSyncing) this.tell();
  }

  list(kind) {
    return [...this.resources.values()].filter((one) => one.kind === kind)
      .sort((one, other) => (other.metadata.creationTimestamp || "").localeCompare(one.metadata.creationTimestamp || ""));
  }

  get(kind, name) {
    return this.resources.get(`${kind}/${name}`);
  }

  listen(hear) {
    this.heard.add(hear);
    if (this.isSynced) hear();
  }

  tell() {
    cancelAnimationFrame(this.drawn);
    this.drawn = requestAnimationFrame(() => this.heard.forEach((hear) => hear()));
  }
}

export const live = new Live();
