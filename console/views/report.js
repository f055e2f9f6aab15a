// 上报: a place on the map, what happened there, who said so.

import * as api from "../talk/api.js";
import { $, el } from "../dom.js";
import { say, titled } from "../words/words.js";

export class ReportForm {
  constructor({ map, view, done }) {
    Object.assign(this, { map, view, done });
    $("report-cancel").addEventListener("click", () => $("report-dialog").close());
    $("report-dialog").querySelector("form").addEventListener("submit", (event) => this.send(event));
  }

  async begin() {
    this.at = null;
    if (this.map.able) {
      this.view("map");
      $("ask").hidden = false;
      this.at = await this.map.ask();
      $("ask").hidden = true;
      if (!this.at) return;
    }
    $("report-place").textContent = this.at ? say("place_is", { lon: this.at[0].toFixed(5), lat: this.at[1].toFixed(5) }) : say("no_map");
    if (!$("report-category").children.length) {
      const { categories } = await api.categories();
      $("report-category").replaceChildren(...categories.map(({ code, title }) => el("option", { value: code }, `${titled(title)}（${code}）`)));
    }
    $("report-fault").textContent = "";
    $("report-dialog").showModal();
  }

  async send(event) {
    event.preventDefault();
    const body = { category: $("report-category").value, text: $("report-text").value.trim() };
    if (this.at) [body.lon, body.lat] = this.at.map((degrees) => Number(degrees.toFixed(7)));
    if ($("report-name").value.trim()) body.contact_name = $("report-name").value.trim();
    if ($("report-phone").value.trim()) body.contact_phone = $("report-phone").value.trim();
    try {
      const { case: one } = await api.report(api.newKey(), body);
      for (const id of ["report-text", "report-name", "report-phone"]) $(id).value = "";
      $("report-dialog").close();
      this.done(one);
    } catch (problem) {
      $("report-fault").textContent = problem.message;
    }
  }
}
