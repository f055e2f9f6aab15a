// 值班、交接班: who is on duty now and next; what the shift leaves, signed over by one side and taken by the other.

import * as api from "../talk/api.js";
import { $, el } from "../dom.js";
import { dayTime, moveWord, say, stateWord, titled } from "../words/words.js";
import { levelBadge } from "./lists.js";

const board = (kind, word, ...inside) => el("section", { class: `board ${kind}`, "aria-label": say(word) }, el("h3", {}, say(word)), inside);
const hours = (stint) => `${dayTime(stint.start_t).slice(0, -3)} – ${dayTime(stint.end_t).slice(0, -3)}`;

export class DutyRoom {
  constructor({ open }) {
    this.root = $("duty");
    this.open = open;
    this.said = null;
  }

  async load() {
    const note = $("hand-note")?.value ?? "";
    try {
      this.found = await api.handover();
      this.fault = null;
    } catch (problem) {
      this.fault = problem.status === 403 ? say("not_for_role") : problem.message;
    }
    this.draw();
    if (note && $("hand-note")) $("hand-note").value = note;
  }

  draw() {
    if (this.root.hidden) return;
    if (this.fault || !this.found) {
      this.root.replaceChildren(el("h2", {}, say("duty")), el("p", { class: "empty" }, this.fault ?? say("loading")));
      return;
    }
    const { shift, waiting, recent, duty } = this.found;
    this.root.replaceChildren(el("h2", {}, `${say("duty")} · ${say("handover")}`),
      el("div", { class: "boards" },
        board("wide", "on_duty", this.posts(duty)),
        board("", "shift", this.happened(shift)), board("hand", "handover", this.signing(waiting)),
        board("wide", "open_list", this.left(shift)),
        board("wide", "handed", this.before(recent))));
  }

  posts(duty) {
    if (!duty.posts.length) return el("p", { class: "empty" }, say("no_duty"));
    const people = (stints) => (stints.length ? stints.map((one) => el("small", {}, `${one.name} ${one.phone ?? ""} · ${one.shift} ${hours(one)}`)) : el("small", {}, say("nobody")));
    return el("ul", { class: "posts" }, duty.posts.map((post) => el("li", {}, el("b", {}, post.title), post.now.length ? post.now.map((one) => el("span", {}, `${one.name}　`)) : null, people(post.now), el("small", {}, say("next_duty")), people(post.next))));
  }

  happened(shift) {
    const rows = [[say("since", { time: dayTime(shift.since_t) }), ""], [say("opened_h"), shift.opened], [say("closed_h"), shift.closed], ...Object.entries(shift.moves).map(([move, n]) => [moveWord(move), n])];
    return el("table", { class: "figures" }, el("tbody", {}, rows.map(([word, n]) => el("tr", {}, el("td", {}, word), el("td", { class: "n" }, String(n))))));
  }

  signing(waiting) {
    const note = el("textarea", { id: "hand-note", rows: 3, maxlength: 4000, placeholder: say("hand_note"), "aria-label": say("hand_note") });
    return [
      waiting && el("p", {}, `${waiting.giver} · ${dayTime(waiting.t)}　${waiting.note}`), note,
      el("button", { type: "button", class: "main", id: "hand-sign", onclick: () => this.sign(waiting) }, say(waiting ? "take_over" : "sign_over")),
      el("p", { class: `answer ${this.said?.good === false ? "bad" : ""}`, role: "status" }, this.said?.text ?? ""),
    ];
  }

  async sign(waiting) {
    const note = $("hand-note").value.trim();
    try {
      await (waiting ? api.takeOver(waiting.id, { note }) : api.signOver({ note }));
      $("hand-note").value = "";
      this.said = { good: true, text: say(waiting ? "taken_over" : "hand_done") };
    } catch (problem) {
      this.said = { good: false, text: problem.message };
    }
    await this.load();
  }

  left(shift) {
    const heads = [say("level"), say("cases"), say("state"), say("department"), say("opened"), say("due_t")];
    const marks = (one) => [one.drill && say("drill"), one.supervised && say("supervised"), one.sensor_silent && say("sensor_silent")].filter(Boolean).join(" · ");
    return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": say("open_list") }, el("p", {}, say("shown_of", { n: shift.open_total })), el("table", { class: "figures", id: "hand-open" },
      el("thead", {}, el("tr", {}, heads.map((word) => el("th", { scope: "col" }, word)))),
      el("tbody", {}, shift.open.map((one) => el("tr", {}, el("td", {}, levelBadge(one.level)),
        el("td", {}, el("button", { type: "button", onclick: () => this.open(one.id) }, titled(one.title)), el("br"), [one.grid_name, marks(one)].filter(Boolean).join(" · ")),
        el("td", {}, stateWord(one.state)), el("td", {}, titled(one.department_title) ?? one.department ?? ""), el("td", {}, dayTime(one.opened_t)), el("td", {}, dayTime(one.due_t)))))));
  }

  before(recent) {
    return el("table", { class: "figures" }, el("tbody", {}, recent.map((one) => el("tr", {},
      el("td", {}, dayTime(one.t)), el("td", {}, `${one.giver} → ${one.taker ?? say("none")}`), el("td", {}, one.note), el("td", { class: "n" }, say("shown_of", { n: one.shift.open_total }))))));
  }
}

