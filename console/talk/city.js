// The city as this page knows it: loaded once, then kept up by the stream (cases), by offset (alerts) and by time (sensors).

import * as api from "./api.js";
import { Stream } from "./stream.js";
import { every } from "./turns.js";

const CLOSED_SHOWN = 200;
const CLOSED_KEPT = 1000; // on a page that is open for weeks; who looks for an older one searches
const STALE_MS = 10_000;
const LATE_MS = 120_000; // readings of so long before the newest may still come in

export class City {
  // `hear(what, about)` is told: cases, alerts, sensors, status, link, opened (a new case), moved (a message), red (an alert), out
  constructor(hear) {
    this.hear = hear;
    this.cases = new Map();
    this.alerts = new Map();
    this.sensors = new Map();
    this.attrs = new Map();
    this.rules = new Map();
    this.posts = [];
    this.status = null;
    this.link = "connecting";
    this.heardAt = Date.now();
    this.offset = null;
    this.newest = 0;
  }

  async enter() {
    this.posts = await api.posts();
    await this.loadStatus();
    for (const [id, rule] of await api.rules()) this.rules.set(id, rule);
  }

  follow() {
    this.stream = new Stream((what, about) => this.told(what, about));
    const out = (problem) => this.failed(problem);
    every(1000, () => this.loadStatus(), out, { awake: true });
    this.askAlerts = every(1500, () => this.loadAlerts(), out, { awake: true });
    every(3000, () => this.loadSensors(), out);
    setInterval(() => this.hear("status"), 2000); // staleness grows while nothing answers
  }

  get stale() {
    return Date.now() - this.heardAt > STALE_MS;
  }

  failed(problem) {
    if (problem.status === 401) this.hear("out");
  }

  async loadStatus() {
    this.status = await api.status();
    this.heardAt = Date.now();
    this.hear("status");
  }

  // ---- cases

  told(what, about) {
    if (what === "open" || what === "reset") {
      if (what === "open") this.link = "live";
      this.loadCases().catch((problem) => this.failed(problem));
    } else if (what === "lost") {
      this.link = "lost";
      if (about?.status === 401) this.hear("out");
    } else {
      const { event, case: one } = about;
      const isNew = !this.cases.has(one.id);
      this.keep(one);
      this.hear(isNew ? "opened" : "moved", about);
      if (event.move === "alert" || event.move === "report") this.askAlerts();
      this.hear("cases");
    }
    this.hear("link");
  }

  keep(one) {
    const before = this.cases.get(one.id);
    if (before && before.seq > one.seq) return;
    // messages of the stream carry no work orders and no moves: those that are known stay
    const orders = one.work_orders.length ? one.work_orders : before?.work_orders ?? [];
    this.cases.set(one.id, { ...one, work_orders: orders });
    if (!one.open && before?.open !== false) this.forget();
  }

  forget() {
    const closed = [...this.cases.values()].filter((one) => !one.open).sort((a, b) => a.changed_t - b.changed_t);
    for (const one of closed.slice(0, -CLOSED_KEPT)) this.cases.delete(one.id);
  }

  async loadCases() {
    const [open, closed] = await Promise.all([api.openCases(), api.cases({ open: false, limit: CLOSED_SHOWN })]);
    this.cases.clear();
    for (const one of [...closed.cases, ...open]) this.cases.set(one.id, one);
    this.hear("cases");
  }

  // what a search finds beyond the cases that are kept
  async search(values) {
    const { cases } = await api.cases({ ...values, limit: CLOSED_SHOWN });
    for (const one of cases) if (!this.cases.has(one.id)) this.cases.set(one.id, one);
    this.hear("cases");
  }

  // ---- alerts

  async loadAlerts() {
    if (this.offset === null) {
      const { offset } = await api.changedAlerts();
      this.alerts.clear();
      for (const alert of await api.openAlerts()) this.alerts.set(alert.episode, alert);
      this.offset = offset;
      this.hear("alerts");
      return;
    }
    const news = await api.changedAlerts(this.offset);
    this.offset = news.reset ? null : news.offset;
    if (!news.alerts.length) return;
    for (const alert of news.alerts) {
      const before = this.alerts.get(alert.episode);
      if (alert.open) this.alerts.set(alert.episode, alert);
      else this.alerts.delete(alert.episode);
      if (alert.level === "red" && before?.level !== "red") this.hear("red", alert);
    }
    this.hear("alerts", news.alerts);
  }

  // ---- sensors

  // what a vehicle says beside its place: what is known now; asked for anew when it was heard of since
  carried(sensor, kind, t, then) {
    const id = `${sensor}|${kind}`;
    const known = this.attrs.get(id);
    if (kind.startsWith("vehicle.") && known?.t !== t) {
      this.attrs.set(id, { t, said: known?.said ?? null });
      api.attrs(sensor, kind).then(({ attrs }) => {
        this.attrs.set(id, { t, said: attrs });
        then();
      }, () => null);
    }
    return known?.said ?? null;
  }

  async loadSensors() {
    const first = this.newest === 0;
    const { features } = await api.sensors(first ? undefined : Math.max(0, this.newest - LATE_MS));
    const news = features.filter(({ id, properties: { t, v, level } }) => {
      const known = this.sensors.get(id)?.properties;
      return !known || known.t !== t || known.v !== v || known.level !== level;
    });
    for (const feature of news) {
      this.sensors.set(feature.id, feature);
      this.newest = Math.max(this.newest, feature.properties.t ?? 0);
    }
    if (news.length) this.hear("sensors", first ? null : news);
  }
}
