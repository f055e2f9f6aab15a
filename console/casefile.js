// 案卷: one case on paper — facts, readings, every move, photos, and room for signatures.

import * as api from "./talk/api.js";
import { $, el, fill } from "./dom.js";
import { chart } from "./views/chart.js";
import { every } from "./talk/turns.js";
import { drawBanner, languageButton } from "./views/tools.js";
import { sentence } from "./words/sentences.js";
import { dayTime, isEnglish, levelRank, levelWord, roleWord, say, speak, stateWord, time, titled } from "./words/words.js";

const STALE_MS = 10_000;
const SIGNED = ["operator", "dispatcher", "handler", "inspector", "supervisor"];

class CaseFile {
  async start() {
    const id = location.hash.slice(1);
    $("back").href = `/#${id}`;
    languageButton($("language"), () => this.draw());
    $("print").addEventListener("click", () => print());
    speak();
    try {
      const [detail, { series }, rules, status, photos] = await Promise.all([api.oneCase(id), api.values(id), api.rules(), api.status(), api.attachments(id).catch(() => ({ attachments: [] }))]);
      Object.assign(this, { detail, series, rules, status, photos: photos.attachments });
      this.draw();
      this.watch();
    } catch (problem) {
      if (problem.status === 401) location.replace(`/console/login.html#${id}`);
      else $("file").replaceChildren(el("p", { class: "empty" }, problem.message));
    }
  }

  // the file is as it was when it was opened; whether it may be out of date is looked at now
  watch() {
    let heardAt = Date.now();
    const show = () => drawBanner($("banner"), this.status, { stale: Date.now() - heardAt > STALE_MS, heardAt, clock: time });
    every(2000, async () => {
      this.status = await api.status();
      heardAt = Date.now();
    });
    setInterval(show, 2000);
  }

  draw() {
    speak();
    const { case: one, events, reports } = this.detail;
    document.title = `${say("case_file")} ${one.id}`;
    drawBanner($("banner"), this.status, { clock: time });
    fill($("file"),
      el("header", {}, el("h1", {}, say("case_file")), el("p", {}, `${this.status.city} · ${one.id}`), one.drill && el("p", { class: "exercise" }, say("drill"))),
      el("h2", {}, titled(one.title)), this.facts(one),
      el("h2", {}, say("readings_chart")), chart(this.series, events, this.rules.get(one.rule)) ?? el("p", {}, say("none")),
      el("h2", {}, say("story")), this.moves(events),
      reports.length > 0 && [el("h2", {}, say("reports")), reports.map((report) => el("p", {}, `${dayTime(report.t)} ${report.text} ${report.contact_name ?? ""} ${report.contact_phone ?? ""}`))],
      this.photos.length > 0 && [el("h2", {}, say("photos")), el("div", { class: "photos" }, this.photos.map((photo) => el("figure", {}, el("img", { src: photo.url, alt: say("photo_of", { name: photo.actor, time: dayTime(photo.t) }) }), el("figcaption", {}, say("photo_of", { name: photo.actor, time: dayTime(photo.t) })))))],
      el("h2", {}, say("signature")), el("div", { class: "signs" }, SIGNED.map((role) => el("div", {}, roleWord(role)))),
      el("footer", {}, `${say("printed")} ${dayTime(Date.now())}`));
  }

  facts(one) {
    const orders = one.work_orders.map((order) => `${titled(order.department_title)}（${isEnglish() ? order.state : order.state_title}${order.officer ? `，${order.officer}` : ""}）`).join("；");
    const rows = [
      [say("state"), stateWord(one.state)], [say("level"), one.peak ? `${levelRank(one.peak)} ${levelWord(one.peak)}` : say("none")], [say("category"), `${titled(one.category_title)}（${one.category}）`],
      [say("department"), titled(one.department_title) ?? say("none")], [say("grid"), `${one.grid_name ?? ""} ${one.grid ?? ""}`], [say("officer"), one.officer ?? say("none")],
      [say("place"), one.lon === null ? say("none") : `${one.lon.toFixed(6)}, ${one.lat.toFixed(6)} (WGS-84)`], [say("rule"), one.rule ? `${titled(this.rules.get(one.rule)?.title) ?? ""} ${one.rule}` : say("none")],
      [say("opened"), dayTime(one.opened_t)], [say("due_t"), dayTime(one.due_t)], [say("closed_t"), dayTime(one.closed_t)], [say("rework"), say("times", { n: one.rework })], [say("orders"), orders || say("none")], [say("what_happened"), one.text ?? say("none")],
    ];
    return el("table", { class: "facts" }, el("tbody", {}, rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))));
  }

  moves(events) {
    const departments = new Map(this.detail.case.work_orders.map((order) => [order.department, order.department_title]));
    return el("table", { class: "moves" },
      el("thead", {}, el("tr", {}, [say("time"), say("what"), say("who"), say("note")].map((word) => el("th", { scope: "col" }, word)))),
      el("tbody", {}, events.map((event) => {
        const { title, text } = sentence(event, this.rules, departments);
        return el("tr", {}, el("td", {}, dayTime(event.t)), el("td", {}, title), el("td", {}, `${roleWord(event.role)}${event.role === "system" ? "" : ` ${event.actor}`}`), el("td", {}, text, event.note && [el("br"), `“${event.note}”`]));
      })));
  }
}

new CaseFile().start();
