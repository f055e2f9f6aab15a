// One case's story: how it stands, what can be done now, and what happened.

import * as api from "./api.js";
import { chart } from "./chart.js";
import { $, el } from "./dom.js";
import { ruleName, sentence } from "./sentences.js";
import { dayTime, isEnglish, kindWord, levelWord, measured, moveWord, say, stateWord, time } from "./words.js";

const REASONED = new Set(["reject", "return", "extend", "void", "reopen", "verify_fail"]);
const MAIN = new Set(["accept", "file", "dispatch", "start", "finish", "verify_pass", "close", "resume", "reopen", "unmerge"]);
const FLAGS = new Set(["overdue", "supervised", "sensor_silent", "recovered", "drill"]);

// the present level filled; one that is over, as a ring of the highest it was
export function levelBadge(level, peak = null) {
  const shown = level ?? peak;
  const word = levelWord(shown);
  const kind = shown ? `c-${shown} ${level ? "" : "past"}` : "none";
  return el("span", { class: `level ${kind}`, title: level || !peak ? word : say("was", { level: word }) }, shown ? (isEnglish() ? word[0] : word) : "—");
}

export class Story {
  constructor({ rules, closed, changed, show }) {
    this.root = $("story");
    this.rules = rules;
    this.closed = closed;
    this.changed = changed;
    this.show = show;
    this.id = null;
    this.said = null;
  }

  async open(id) {
    if (id !== this.id) {
      this.said = null;
      this.draft = {};
      this.detail = null;
    }
    this.id = id;
    this.root.hidden = false;
    await this.load();
  }

  close() {
    this.id = null;
    this.root.hidden = true;
    this.closed();
  }

  async load() {
    const { id } = this;
    try {
      const [detail, { series }] = await Promise.all([api.oneCase(id), api.values(id)]);
      if (this.id !== id) return;
      this.detail = detail;
      this.series = series;
      this.draw();
    } catch (problem) {
      if (this.id === id && !this.detail) this.root.replaceChildren(el("p", { class: "empty" }, problem.message));
    }
  }

  draw() {
    if (!this.detail || this.root.hidden) return;
    const { case: one, events } = this.detail;
    const kept = this.keep();
    this.root.className = `story ${one.level ?? one.peak ? `c-${one.level ?? one.peak}` : ""}`;
    this.root.replaceChildren(
      el("header", {},
        levelBadge(one.level, one.peak),
        el("h2", {}, one.title),
        el("button", { type: "button", class: "leave", "aria-label": say("close_story"), onclick: () => this.close() }, "✕"),
        el("span", { class: "id" }, one.id)),
      el("div", { class: "body" },
        this.flags(one), this.present(), chart(this.series, events, this.rules.get(one.rule)), this.doing(one), this.facts(one), this.orders(one), this.reports(),
        el("h3", {}, say("story")),
        el("ol", { class: "line", id: "line" }, [...events].reverse().map((event) => this.row(event)))));
    this.restore(kept);
  }

  // typing and scrolling survive a redraw
  keep() {
    const focus = this.root.contains(document.activeElement) ? document.activeElement.id : null;
    const body = this.root.querySelector(".body");
    for (const field of this.root.querySelectorAll("[data-draft]")) this.draft[field.dataset.draft] = field.type === "checkbox" ? field.checked : field.value;
    return { focus, top: body?.scrollTop ?? 0 };
  }

  restore({ focus, top }) {
    for (const field of this.root.querySelectorAll("[data-draft]")) {
      const value = this.draft[field.dataset.draft];
      if (field.type === "checkbox") field.checked = value === true;
      else if (value) field.value = value;
    }
    this.root.querySelector(".body").scrollTop = top;
    if (focus) $(focus)?.focus();
  }

  flags(one) {
    return el("div", { class: "flags" },
      el("span", { class: "state" }, stateWord(one.state)),
      one.flags.filter((flag) => FLAGS.has(flag)).map((flag) => el("span", { class: "warn" }, say(flag))),
      one.rework > 0 && el("span", { class: "warn" }, `${say("rework")} ${say("times", { n: one.rework })}`),
      one.merged_into && el("span", {}, say("merged_into", { id: one.merged_into })));
  }

  present() {
    return el("div", {}, this.detail.alerts.slice(0, 6).map((alert) => {
      const value = measured(this.rules.get(alert.rule), alert.kind, alert.value);
      const state = alert.open ? `${levelWord(alert.level)} · ${say("since", { time: time(alert.raised_t) })}` : `${say("cleared")} ${time(alert.cleared_t)}`;
      return el("div", { class: `now ${alert.open ? `c-${alert.level}` : ""}` },
        el("span", { class: "what" }, `${say("present")} · ${kindWord(alert.kind)} · ${alert.sensor}`),
        el("span", { class: "value" }, value),
        el("span", { class: "from" }, state, el("span", { class: "what" }, ` · ${say("value_at", { time: time(alert.heard_t ?? alert.changed_t) })}`)));
    }));
  }

  facts(one) {
    const rows = [
      [say("department"), one.department_title ?? one.department],
      [say("grid"), one.grid && `${one.grid_name ?? ""} ${one.grid}`.trim()],
      [say("officer"), one.officer],
      [say("rule"), one.rule && ruleName(one.rule, this.rules)],
      [say("category"), `${one.category_title}（${one.category}）`],
      [say("opened"), dayTime(one.opened_t)],
      [say("due_t"), one.due_t && dayTime(one.due_t)],
      [say("what_happened"), one.text],
    ];
    return el("div", {}, el("dl", { class: "facts" }, rows.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      one.lon !== null && el("button", { type: "button", class: "plain", onclick: () => this.show(one) }, say("centre")));
  }

  orders(one) {
    if (!one.work_orders.length) return null;
    return el("div", {}, el("h3", {}, say("orders")),
      el("table", { class: "orders" }, one.work_orders.map((order) => el("tr", {},
        el("td", {}, order.department_title), el("td", {}, order.officer ?? ""), el("td", {}, isEnglish() ? order.state : order.state_title)))));
  }

  reports() {
    if (!this.detail.reports.length) return null;
    return el("div", {}, el("h3", {}, say("reports")), this.detail.reports.map((report) =>
      el("p", {}, `${dayTime(report.t)} ${report.text} ${report.contact_name ?? ""} ${report.contact_phone ?? ""}`)));
  }

  departments() {
    const { case: one } = this.detail;
    return new Map([[one.department, one.department_title], ...one.work_orders.map((order) => [order.department, order.department_title])]);
  }

  row(event) {
    const { title, text, level } = sentence(event, this.rules, this.departments());
    return el("li", { class: `${level ? `c-${level}` : ""} ${event.person ? "person" : ""}`.trim() },
      el("time", { datetime: new Date(event.t).toISOString() }, dayTime(event.t)), el("b", {}, title),
      el("p", {}, text), event.note && el("p", {}, el("q", {}, event.note)));
  }

  doing(one) {
    const moves = one.moves.flatMap((move) => (move === "verify" ? ["verify_pass", "verify_fail"] : [move])).filter((move) => move !== "attach");
    if (!moves.length) return el("p", { class: "empty" }, say("no_moves"));
    const button = (move) =>
      el("button", { type: "button", class: MAIN.has(move) ? "main" : "plain", id: `move-${move}`, "data-move": move, disabled: this.busy, onclick: () => this.make(move) }, moveWord(move));
    const field = (name, attributes) => el("label", {}, say(name), el("input", { id: `do-${name}`, "data-draft": name, autocomplete: "off", ...attributes }));
    const asking = [["extend", "due", { type: "datetime-local" }], ["merge", "into", { placeholder: "WO-…" }]].filter(([move]) => moves.includes(move));
    const plain = moves.filter((move) => !asking.some(([asks]) => asks === move));
    return el("form", { class: "do", onsubmit: (event) => event.preventDefault() },
      el("h3", {}, say("moves")),
      el("label", { class: "unseen", for: "do-note" }, say("note")),
      el("textarea", { id: "do-note", "data-draft": "note", rows: 2, maxlength: 2000, placeholder: say("note_hint") }),
      moves.includes("dispatch") && el("div", { class: "more" }, field("departments", { placeholder: one.department ?? "" })),
      one.moves.includes("verify") && one.close === "sensor" && el("label", { class: "check" }, el("input", { type: "checkbox", id: "do-override", "data-draft": "override" }), say("override")),
      el("div", { class: "buttons" }, plain.map(button)),
      asking.length > 0 && el("details", { open: this.draft.due || this.draft.into || null, id: "do-more" }, el("summary", {}, say("more_moves")),
        asking.map(([move, name, attributes]) => el("div", { class: "more" }, field(name, attributes), button(move)))),
      el("p", { class: `answer ${this.said?.good ? "good" : "bad"}`, role: "status" }, this.said?.text ?? ""));
  }

  body(name) {
    this.keep();
    const { note, departments, due, into, override } = this.draft;
    const [move, result] = name.startsWith("verify_") ? ["verify", name.slice(7)] : [name, undefined];
    const text = note?.trim() || undefined;
    const body = { move, result };
    if (REASONED.has(name) || (override && move === "verify")) body.reason = text;
    else body.note = text;
    if (move === "verify" && result === "pass" && override) body.override = true;
    if (move === "dispatch" && departments?.trim()) body.departments = departments.trim().split(/[\s,，、]+/);
    if (move === "extend" && due) body.due = new Date(`${due}:00+08:00`).getTime();
    if (move === "merge" && into?.trim()) body.into = into.trim();
    return body;
  }

  async make(name) {
    const { case: one } = this.detail;
    const body = this.body(name);
    if (REASONED.has(name) && !body.reason) return this.tell(false, say("needs_reason"));
    this.busy = true;
    this.draw();
    try {
      await api.move(one.id, one.version, api.newKey(), body);
      this.draft = {};
      for (const field of this.root.querySelectorAll("[data-draft]")) field.value = "";
      this.said = { good: true, text: say("done", { move: moveWord(name) }) };
      this.changed();
    } catch (problem) {
      this.said = { good: false, text: problem.status === 412 ? say("stale_case") : say("failed", { why: problem.message }) };
    } finally {
      this.busy = false;
    }
    this.draw();
    return this.load();
  }

  tell(good, text) {
    this.said = { good, text };
    this.draw();
  }
}
