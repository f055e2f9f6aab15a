// One case's story: how it stands, what can be done now, and what happened.

import * as api from "../talk/api.js";
import { $, el } from "../dom.js";
import { ruleName, sentence } from "../words/sentences.js";
import { attrWords, dayTime, isEnglish, kindWord, levelWord, measured, moveWord, say, stateWord, time, titled } from "../words/words.js";
import { chart } from "./chart.js";
import { levelBadge } from "./lists.js";
import { bodyOf, MOVE_KEYS, movesForm, needsReason, shownMoves } from "./moves.js";
import { photoButton, photoList, send } from "./photos.js";

const FLAGS = new Set(["overdue", "supervised", "sensor_silent", "recovered", "drill"]);

export class Story {
  constructor({ rules, carried, departments, closed, changed, show }) {
    this.root = $("story");
    Object.assign(this, { rules, carried, departments, closed, changed, show });
    this.id = null;
    this.said = null;
    this.draft = {};
  }

  async open(id) {
    if (id !== this.id) {
      this.said = null;
      this.draft = {};
      this.detail = null;
      this.root.replaceChildren(el("p", { class: "empty" }, say("loading")));
    }
    this.id = id;
    this.root.hidden = false;
    const from = document.activeElement;
    await this.load();
    // whoever has gone on meanwhile keeps the keyboard where it is
    const now = document.activeElement;
    const stayed = now === from || now === document.body || now.dataset.key === id;
    if (this.id === id && stayed && !this.root.contains(now)) this.root.querySelector("h2")?.focus({ preventScroll: true });
  }

  close() {
    const { id } = this;
    this.id = null;
    this.root.hidden = true;
    this.closed(id);
  }

  async load() {
    const { id } = this;
    if (!id) return;
    try {
      const [detail, { series }, photos] = await Promise.all([api.oneCase(id), api.values(id), api.attachments(id).catch(() => null)]);
      if (this.id !== id) return;
      const stamp = JSON.stringify([detail.case.seq, detail.case.moves, detail.alerts, series.map((one) => one.points.at(-1)), photos]);
      if (stamp === this.stamp && this.detail) return;
      Object.assign(this, { detail, series, photos: photos?.attachments ?? null, stamp });
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
        el("h2", { tabindex: -1 }, one.drill && el("em", { class: "drill" }, say("drill")), titled(one.title)),
        el("a", { href: `/console/casefile.html#${one.id}`, target: "_blank", rel: "noopener" }, say("print_file")),
        el("button", { type: "button", class: "plain leave", "aria-label": say("close_story"), onclick: () => this.close() }, "✕"),
        el("span", { class: "id" }, one.id)),
      el("div", { class: "body", tabindex: 0, role: "group", "aria-label": titled(one.title) },
        this.flags(one), this.present(), chart(this.series, events, this.rules.get(one.rule)), this.doing(one), this.facts(one), this.runbook(one), this.orders(one), this.pictures(one), this.reports(),
        el("h3", {}, say("story")),
        el("ol", { class: "line", id: "line" }, [...events].reverse().map((event) => this.row(event)))));
    this.restore(kept);
  }

  // typing, scrolling and what is unfolded survive a redraw
  keep() {
    const focus = this.root.contains(document.activeElement) ? document.activeElement.id : null;
    const body = this.root.querySelector(".body");
    for (const field of this.root.querySelectorAll("[data-draft]")) this.draft[field.dataset.draft] = field.type === "checkbox" ? field.checked : field.value;
    return { focus, top: body?.scrollTop ?? 0, more: $("do-more")?.open ?? false };
  }

  restore({ focus, top, more }) {
    for (const field of this.root.querySelectorAll("[data-draft]")) {
      const value = this.draft[field.dataset.draft];
      if (field.type === "checkbox") field.checked = value === true;
      else if (value) field.value = value;
    }
    if (more && $("do-more")) $("do-more").open = true;
    this.root.querySelector(".body").scrollTop = top;
    if (focus) $(focus)?.focus({ preventScroll: true });
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
      const heard = alert.heard_t ?? alert.changed_t;
      const carried = attrWords(this.carried(alert.sensor, alert.kind, heard, () => this.draw()));
      const state = alert.open ? `${levelWord(alert.level)} · ${say("since", { time: time(alert.raised_t) })}` : `${say("cleared")} ${time(alert.cleared_t)}`;
      return el("div", { class: `now ${alert.open ? `c-${alert.level}` : ""}` },
        el("span", { class: "what" }, `${say("present")} · ${kindWord(alert.kind)} · ${alert.sensor}`),
        el("span", { class: "value" }, value),
        el("span", { class: "from" }, state, el("span", { class: "what" }, ` · ${say("value_at", { time: time(heard) })}${carried && ` · ${carried}`}`)));
    }));
  }

  facts(one) {
    const rows = [
      [say("department"), titled(one.department_title) ?? one.department],
      [say("grid"), one.grid && `${one.grid_name ?? ""} ${one.grid}`.trim()],
      [say("officer"), one.officer],
      [say("place"), one.lon !== null && `${one.lon.toFixed(5)}, ${one.lat.toFixed(5)}`],
      [say("rule"), one.rule && ruleName(one.rule, this.rules)],
      [say("category"), `${titled(one.category_title)}（${one.category}）`],
      [say("opened"), dayTime(one.opened_t)],
      [say("due_t"), one.due_t && dayTime(one.due_t)],
      [say("what_happened"), one.text],
    ];
    return el("div", {}, el("dl", { class: "facts" }, rows.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      one.lon !== null && el("button", { type: "button", class: "plain", id: "centre", onclick: () => this.show(one) }, say("centre")));
  }

  runbook(one) {
    const text = this.rules.get(one.rule)?.runbook;
    return text ? el("div", {}, el("h3", {}, say("runbook")), el("p", { class: "runbook" }, text)) : null;
  }

  orders(one) {
    if (!one.work_orders.length) return null;
    return el("div", {}, el("h3", {}, say("orders")),
      el("table", { class: "orders" }, one.work_orders.map((order) => el("tr", {},
        el("td", {}, titled(order.department_title)), el("td", {}, order.officer ?? ""), el("td", {}, isEnglish() ? order.state : order.state_title)))));
  }

  pictures(one) {
    if (this.photos === null || (!this.photos.length && !one.moves.includes("attach"))) return null;
    return el("div", {}, el("h3", {}, say("photos")), photoList(this.photos), one.moves.includes("attach") && photoButton("add_photo", (file) => this.photograph(file)));
  }

  async photograph(file) {
    try {
      await send(this.id, file, this.detail.by.get("attach"));
      this.tell(true, say("photo_sent"));
    } catch (problem) {
      this.tell(false, say("photo_failed", { why: problem.message }));
    }
    await this.load();
  }

  reports() {
    if (!this.detail.reports.length) return null;
    return el("div", {}, el("h3", {}, say("reports")), this.detail.reports.map((report) =>
      el("p", {}, `${dayTime(report.t)} ${report.text} ${report.contact_name ?? ""} ${report.contact_phone ?? ""}`)));
  }

  named() {
    const { case: one } = this.detail;
    return new Map([...this.departments(), [one.department, one.department_title], ...one.work_orders.map((order) => [order.department, order.department_title])]);
  }

  row(event) {
    const { title, text, level } = sentence(event, this.rules, this.named());
    return el("li", { class: `${level ? `c-${level}` : ""} ${event.person ? "person" : ""}`.trim() },
      el("time", { datetime: new Date(event.t).toISOString() }, dayTime(event.t)), el("b", {}, title),
      el("p", {}, text), event.note && el("p", {}, el("q", {}, event.note)));
  }

  doing(one) {
    const form = movesForm(one, { busy: this.busy, draft: this.draft, departments: this.departments(), make: (move) => this.make(move), said: this.said });
    return form ?? el("p", { class: "empty" }, say("no_moves"));
  }

  // the move of a key, if this user may make it now
  press(key) {
    if (!this.detail || this.busy) return false;
    const move = shownMoves(this.detail.case).find((one) => MOVE_KEYS[one] === key);
    if (!move) return false;
    if (needsReason(move) && !$("do-note").value.trim()) $("do-note").focus();
    this.make(move);
    return true;
  }

  async make(name) {
    const { case: one, by } = this.detail;
    this.keep();
    const body = bodyOf(name, this.draft);
    if (needsReason(name) && !body.reason) return this.tell(false, say("needs_reason"));
    this.busy = true;
    this.draw();
    try {
      await api.move(one.id, one.version, api.newKey(), body, by.get(body.move));
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
