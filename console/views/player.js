// The demo's player: pause, speed, jump. Shown only where the engine plays a simulated city.

import * as api from "../talk/api.js";
import { $, el, fill } from "../dom.js";
import { dayTime, isEnglish, say } from "../words/words.js";

const SPEEDS = [1, 10, 60, 300, 1200];
const JUMPS_MIN = [10, 60, 360];

export class PlayerBar {
  // `may()`: whether this person may play
  constructor(may) {
    this.may = may;
    this.root = $("player");
    this.found = null;
  }

  async load() {
    this.found = await api.player();
    this.draw();
  }

  draw() {
    const { found, root } = this;
    root.hidden = !found;
    if (!found) return;
    if (this.stamp !== this.now()) this.make();
    this.stamp = this.now();
    const doing = found.prelude ? say("prelude") : found.jump ? say("hurrying", { time: dayTime(found.jump) }) : found.paused ? say("paused") : "";
    root.querySelector(".at").textContent = `${dayTime(found.now)}${doing ? ` · ${doing}` : ""}`;
  }

  // the controls are made anew only when what they show changed, so that no choice under way is lost
  make() {
    const { found, root } = this;
    const focus = root.contains(document.activeElement) ? document.activeElement.id : null;
    const off = !this.may();
    const speed = el("select", { id: "play-speed", disabled: off, onchange: (event) => this.tell({ speed: Number(event.target.value) }) },
      [...new Set([...SPEEDS, found.speed])].sort((a, b) => a - b).map((one) => el("option", { value: one }, `${one}×`)));
    speed.value = found.speed;
    fill(root,
      el("b", {}, say("player")), el("span", {}, isEnglish() ? found.scenario : found.title ?? found.scenario),
      el("button", { type: "button", class: "plain", id: "play-pause", disabled: off, onclick: () => this.tell(found.paused ? { resume: true } : { pause: true }) }, say(found.paused ? "resume_play" : "pause")),
      el("label", {}, say("speed_is"), speed),
      JUMPS_MIN.map((minutes) => el("button", { type: "button", class: "plain", id: `play-${minutes}`, disabled: off, onclick: () => this.tell({ jump: this.found.now + minutes * 60_000 }) }, say("minutes", { n: minutes }))),
      el("span", { class: "at" }));
    if (focus) $(focus)?.focus();
  }

  now() {
    const { paused, speed, title } = this.found;
    return JSON.stringify([paused, speed, title, this.may(), document.documentElement.lang]);
  }

  async tell(body) {
    this.found = (await api.play(body)) ?? this.found;
    await this.load();
  }
}
