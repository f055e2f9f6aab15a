// The page of those who go out (外勤): their work, the case, what they did, and a photo of it. For a phone in one hand.

import * as api from "./talk/api.js";
import { $, el } from "./dom.js";
import { Stream } from "./talk/stream.js";
import { atMost, every } from "./talk/turns.js";
import { levelBadge } from "./views/lists.js";
import { bodyOf, needsReason, shownMoves } from "./views/moves.js";
import { photoButton, photoList, send } from "./views/photos.js";
import { drawBanner, languageButton, themeButton } from "./views/tools.js";
import { dayTime, kindWord, lasting, measured, moveWord, say, speak, stateWord, time, titled } from "./words/words.js";

const RANK = { red: 4, orange: 3, yellow: 2, blue: 1 };
const STATES = { handler: "dispatched,handling", inspector: "handled" };
const OFFERED = new Set(["start", "finish", "return", "verify_pass", "verify_fail", "comment"]);
const STALE_MS = 10_000;

class Field {
  constructor() {
    this.link = "connecting";
    this.heardAt = Date.now();
    this.said = null;
    this.soon = atMost(500, () => this.load());
  }

  async start() {
    languageButton($("language"), () => this.say());
    themeButton($("theme"), () => null);
    $("leave").addEventListener("click", async () => {
      await api.leave();
      this.signIn();
    });
    addEventListener("hashchange", () => this.load());
    try {
      [this.caller] = await api.posts();
      this.status = await api.status();
      this.rules = await api.rules();
    } catch {
      this.signIn();
      return;
    }
    this.say();
    await this.load();
    new Stream((what, about) => {
      if (what === "lost" && about?.status === 401) this.signIn();
      else this.link = what === "lost" ? "lost" : "live";
      $("link").textContent = say(this.link);
      if (what !== "lost") this.soon();
    });
    every(2000, async () => {
      this.status = await api.status();
      this.heardAt = Date.now();
    });
    setInterval(() => this.banner(), 2000);
  }

  signIn() {
    location.replace("/console/login.html#field");
  }

  banner() {
    drawBanner($("banner"), this.status, { stale: Date.now() - this.heardAt > STALE_MS, heardAt: this.heardAt, clock: time });
  }

  say() {
    speak();
    $("link").textContent = say(this.link);
    this.draw();
  }

  get id() {
    return /^#WO-/.test(location.hash) ? location.hash.slice(1) : null;
  }

  async load() {
    const { id } = this;
    try {
      if (id) {
        const [detail, photos] = await Promise.all([api.oneCase(id), api.attachments(id)]);
        if (id !== this.id) return;
        Object.assign(this, { detail, photos: photos.attachments });
      } else {
        this.detail = null;
        this.rows = await api.everyPage("cases", "/api/v1/cases", { open: true, state: STATES[this.caller.role] });
      }
      this.heardAt = Date.now();
    } catch (problem) {
      if (problem.status === 401) this.signIn();
      else if (id) this.said = { good: false, text: problem.status ? problem.message : say("queued") };
    }
    this.draw();
  }

  draw() {
    const note = $("do-note")?.value ?? "";
    const held = document.activeElement?.id;
    if (this.id && this.detail) this.drawCase();
    else if (this.rows) this.drawList();
    if ($("do-note")) $("do-note").value = note;
    if (held && document.activeElement === document.body) $(held)?.focus();
  }

  drawList() {
    const now = this.status?.now_ms ?? Date.now();
    const byWorst = [...this.rows].sort((a, b) => (RANK[b.level] ?? 0) - (RANK[a.level] ?? 0) || (a.due_t ?? Infinity) - (b.due_t ?? Infinity));
    $("work").replaceChildren(
      el("h2", {}, say("my_work"), el("b", {}, String(byWorst.length))),
      byWorst.length ? el("ol", { class: "jobs" }, byWorst.map((one) => el("li", {}, el("a", { href: `#${one.id}`, class: `job ${one.level ? `c-${one.level}` : ""}` },
        levelBadge(one.level, one.peak),
        el("span", { class: "what" }, el("b", {}, one.drill && el("em", { class: "drill" }, say("drill")), titled(one.title)), el("span", {}, one.grid_name ?? one.grid ?? ""), el("span", {}, `${stateWord(one.state)} · ${lasting(now - one.opened_t)}${one.due_t ? ` · ${say("due_t")} ${time(one.due_t)}` : ""}`)))))) : el("p", { class: "empty" }, say("no_work")));
  }

  drawCase() {
    const { case: one, alerts, events } = this.detail;
    const moves = shownMoves(one).filter((move) => OFFERED.has(move));
    const facts = [[say("grid"), `${one.grid_name ?? ""} ${one.grid ?? ""}`.trim()], [say("officer"), one.officer], [say("place"), one.lon !== null && `${one.lon.toFixed(5)}, ${one.lat.toFixed(5)}`], [say("opened"), dayTime(one.opened_t)], [say("due_t"), one.due_t && dayTime(one.due_t)], [say("what_happened"), one.text]];
    const last = [...events].reverse().find((event) => event.note && (event.move === "dispatch" || event.move === "verify" || event.person));
    $("work").replaceChildren(
      el("a", { class: "plain back", href: "#" }, `‹ ${say("back")}`),
      el("article", { class: one.level ? `c-${one.level}` : "" },
        el("header", {}, levelBadge(one.level, one.peak), el("h2", { tabindex: -1 }, one.drill && el("em", { class: "drill" }, say("drill")), titled(one.title)), el("span", { class: "state" }, stateWord(one.state))),
        alerts.slice(0, 4).map((alert) => el("p", { class: "reading" }, `${kindWord(alert.kind)} `, el("b", {}, measured(this.rules.get(alert.rule), alert.kind, alert.value)), ` · ${time(alert.heard_t ?? alert.changed_t)}`)),
        last && el("p", { class: "said" }, last.note),
        el("dl", {}, facts.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
        el("h3", {}, say("photos")), photoList(this.photos), one.moves.includes("attach") && photoButton("take_photo", (file) => this.photograph(file)),
        moves.length ? [el("label", { class: "note" }, say("result_note"), el("textarea", { id: "do-note", rows: 3, maxlength: 2000 })),
          el("div", { class: "buttons" }, moves.map((move) => el("button", { type: "button", id: `move-${move}`, class: move === "comment" || move === "return" || move === "verify_fail" ? "plain" : "main", disabled: this.busy, onclick: () => this.make(move) }, moveWord(move))))] : el("p", {}, say("no_moves")),
        el("p", { class: `answer ${this.said?.good === false ? "bad" : ""}`, role: "status" }, this.said?.text ?? "")));
  }

  async make(name) {
    const { case: one, by } = this.detail;
    const body = bodyOf(name, { note: $("do-note").value });
    if (needsReason(name) && !body.reason) return this.tell(false, say("needs_reason"));
    await this.busily(async () => {
      await api.move(one.id, one.version, api.newKey(), body, by.get(body.move));
      $("do-note").value = "";
      this.said = { good: true, text: say("done", { move: moveWord(name) }) };
    }, "failed");
    return this.load();
  }

  async photograph(file) {
    await this.busily(async () => {
      await send(this.id, file, this.detail.by.get("attach"));
      this.said = { good: true, text: say("photo_sent") };
    }, "photo_failed");
    await this.load();
  }

  async busily(act, refused) {
    this.busy = true;
    this.draw();
    try {
      await act();
    } catch (problem) {
      const why = problem.status === 412 ? say("stale_case") : problem.message;
      this.said = { good: false, text: problem.status ? say(refused, { why }) : say("queued") };
    } finally {
      this.busy = false;
    }
  }

  tell(good, text) {
    this.said = { good, text };
    this.draw();
  }
}

new Field().start();
