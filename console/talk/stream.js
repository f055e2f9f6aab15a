// The stream of case events. A lost connection is opened anew with a fresh ticket from the last position seen; whoever
// listens loads its lists when told `open` or `reset`, so that nothing is missed in between.

import { ticket } from "./api.js";

const AGAIN_MS = [1000, 2000, 4000, 8000];

export class Stream {
  constructor(tell) {
    this.tell = tell;
    this.last = null;
    this.tries = 0;
    this.connect();
    addEventListener("online", () => this.now());
  }

  async connect() {
    this.waiting = null;
    let secret;
    try {
      ({ ticket: secret } = await ticket());
    } catch (problem) {
      this.tell("lost", problem);
      if (problem.status !== 401) this.again();
      return;
    }
    // Last-Event-ID cannot be set by hand: a new connection names the position in its address
    const after = this.last === null ? "" : `&after=${this.last}`;
    const source = new EventSource(`/api/v1/stream?ticket=${encodeURIComponent(secret)}${after}`);
    this.source = source;
    source.onopen = () => {
      this.tries = 0;
      this.tell("open");
    };
    source.onerror = () => {
      source.close();
      this.tell("lost");
      this.again();
    };
    source.onmessage = (event) => this.stand(event);
    source.addEventListener("case", (event) => {
      this.stand(event);
      this.tell("case", JSON.parse(event.data));
    });
    source.addEventListener("reset", (event) => {
      this.stand(event);
      this.tell("reset");
    });
  }

  stand(event) {
    if (event.lastEventId) this.last = event.lastEventId;
  }

  again() {
    if (this.waiting) return;
    this.waiting = setTimeout(() => this.connect(), AGAIN_MS[Math.min(this.tries, AGAIN_MS.length - 1)]);
    this.tries += 1;
  }

  now() {
    if (!this.waiting) return;
    clearTimeout(this.waiting);
    this.connect();
  }
}
