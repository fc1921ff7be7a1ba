// All resources as they are now, over one line of server-sent events.

export class Live {
  constructor() {
    this.resources = new Map();
    this.heard = new Set();
    this.isSynced = false;
    this.isLost = false;
    this.drawn = 0;
  }

  start() {
    const source = new EventSource("/api/v1/watch");
    source.addEventListener("open", () => {
      this.isLost = false;
      this.fresh = new Map();
      this.isSyncing = true;
    });
    source.addEventListener("change", (event) => this.take(JSON.parse(event.data)));
    source.addEventListener("synced", () => {
      this.resources = this.fresh;
      this.isSyncing = false;
      this.isSynced = true;
      this.tell();
    });
    source.addEventListener("error", () => {
      this.isLost = true;
      this.tell();
    });
    addEventListener("pagehide", () => source.close());
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
