// 驾驶舱: the figures of an area, and the way down to its parts.

import * as api from "../talk/api.js";
import { $, el, svg } from "../dom.js";
import { dayTime, hourOf, kindWord, lasting, levelRank, levelWord, say, stateWord, time, titled } from "../words/words.js";
import { levelBadge, LEVELS } from "./lists.js";

const [WIDTH, HEIGHT] = [720, 168];

// levels side by side, as long as their share of `most`
function levelBar(levels, most) {
  let x = 0;
  const parts = [...LEVELS, "none"].filter((level) => levels[level]).map((level) => {
    const width = (levels[level] / (most || 1)) * 100;
    const part = svg("rect", { class: level, x, y: 1, width: Math.max(0.6, width - 0.4), height: 12, rx: 1 }, svg("title", {}, `${level === "none" ? say("level_unknown") : levelWord(level)} ${levels[level]}`));
    x += width;
    return part;
  });
  return svg("svg", { class: "bars", viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" }, parts);
}

function hoursChart(hours) {
  const most = Math.max(4, ...hours.flatMap((one) => [one.raised, one.opened, one.closed]));
  const wide = (WIDTH - 30) / hours.length;
  const y = (n) => HEIGHT - 20 - (n / most) * (HEIGHT - 34);
  const bars = hours.flatMap((one, i) => ["raised", "opened", "closed"].map((name, k) => svg("rect", {
    class: name, x: 28 + i * wide + (k * wide) / 3.6, y: y(one[name]), width: wide / 4, height: HEIGHT - 20 - y(one[name]),
  }, svg("title", {}, `${hourOf(one.t)}:00 ${say(`${name}_h`)} ${one[name]}`))));
  const words = hours.flatMap((one, i) => (i % 3 === 2 ? [svg("text", { x: 28 + i * wide, y: HEIGHT - 5 }, `${hourOf(one.t)}`)] : []));
  const total = (name) => hours.reduce((sum, one) => sum + one[name], 0);
  const said = ["raised", "opened", "closed"].map((name) => `${say(`${name}_h`)} ${total(name)}`).join("，");
  return svg("svg", { class: "bars high", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${say("by_hour")}：${said}` },
    [0, most / 2, most].map((n) => [svg("line", { x1: 26, x2: WIDTH, y1: y(n), y2: y(n) }), svg("text", { x: 22, y: y(n) + 4, "text-anchor": "end" }, String(Math.round(n)))]), bars, words);
}

const table = (heads, rows) => el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": heads[0][0] }, el("table", { class: "figures" },
  el("thead", {}, el("tr", {}, heads.map(([word, kind]) => el("th", { scope: "col", class: kind ?? null }, word)))), el("tbody", {}, rows)));
const board = (kind, word, ...inside) => el("section", { class: `board ${kind}`, "aria-label": say(word) }, el("h3", {}, say(word)), inside);

export class Overview {
  // `path` is shared with the map; `open(id)` opens a case
  constructor({ path, open }) {
    this.root = $("overview");
    this.path = path;
    this.open = open;
    this.nav = el("nav", { class: "path", "aria-label": say("path") });
    path.show(this.nav);
  }

  get shown() {
    return !this.root.hidden;
  }

  async load() {
    const asked = this.path.code;
    const found = await api.overview(asked);
    if (asked !== this.path.code) return;
    this.found = found;
    this.draw();
  }

  draw() {
    if (!this.found || !this.shown) return;
    const { found } = this;
    const focus = this.root.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    const [top, left] = [this.root.scrollTop, document.activeElement];
    const held = this.nav.contains(left);
    this.root.replaceChildren(
      el("h2", {}, `${say("overview")} · ${this.path.code ? this.path.name(this.path.code) : say("whole_city")}`), this.nav, this.tiles(found),
      el("div", { class: "boards" },
        board("two", "by_hour", hoursChart(found.hours), el("p", { class: "keys" }, ["raised", "opened", "closed"].map((name) => el("span", {}, el("i", { class: name }), say(`${name}_h`))))),
        board("third", "by_level", this.levels(found)),
        board("", "by_department", this.departments(found)), board("", "by_area", this.areas(found)),
        board("", "slowest", this.slowest(found)), board("", "silent_sensors", this.silent(found))));
    this.root.scrollTop = top;
    if (held) left.focus?.();
    else if (focus) this.root.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  }

  tiles(found) {
    const tile = (word, n, level = null) => el("div", { class: level ? `c-${level}` : null }, el("dt", {}, word), el("dd", {}, String(n)));
    const alerts = Object.values(found.alerts).reduce((sum, n) => sum + n, 0);
    return el("dl", { class: "tiles" }, tile(say("open_cases"), found.open), tile(say("open_alerts"), alerts),
      LEVELS.map((level) => tile(`${levelRank(level)} ${levelWord(level)}`, found.levels[level], level)),
      tile(say("overdue"), found.overdue), tile(say("supervised"), found.supervised), tile(say("rework"), found.rework), tile(say("silent_sensors"), found.silent), tile(say("drills_n"), found.drills));
  }

  levels(found) {
    const most = Math.max(1, ...Object.values(found.levels));
    const rows = [...LEVELS, "none"].map((level) => el("tr", {}, el("td", {}, level === "none" ? say("level_unknown") : `${levelRank(level)} ${levelWord(level)}`),
      el("td", { class: "bar" }, levelBar({ [level]: found.levels[level] }, most)), el("td", { class: "n" }, String(found.levels[level]))));
    const states = Object.entries(found.states).map(([state, n]) => `${stateWord(state)} ${n}`).join("　");
    return [table([[say("level")], [""], [say("open_n"), "n"]], rows), el("p", { class: "keys" }, states)];
  }

  departments(found) {
    const most = Math.max(1, ...found.departments.map((one) => one.open));
    return table([[say("department")], [""], [say("open_n"), "n"], [say("overdue"), "n"]], found.departments.map((one) => el("tr", {},
      el("td", {}, titled(one.title) ?? say("none")), el("td", { class: "bar" }, levelBar(one.levels, most)), el("td", { class: "n" }, String(one.open)), el("td", { class: "n" }, String(one.overdue)))));
  }

  areas(found) {
    const most = Math.max(1, ...found.areas.map((one) => one.open));
    const byOpen = [...found.areas].sort((a, b) => b.open - a.open || a.code.localeCompare(b.code));
    return table([[say("area")], [""], [say("open_n"), "n"], [say("overdue"), "n"], [say("silent"), "n"]], byOpen.map((one) => el("tr", {},
      el("td", {}, el("button", { type: "button", "data-focus": one.code, "data-area": one.code, onclick: () => this.path.go(one.code) }, this.path.name(one.code))),
      el("td", { class: "bar" }, levelBar(one.levels, most)), el("td", { class: "n" }, String(one.open)), el("td", { class: "n" }, String(one.overdue)), el("td", { class: "n" }, String(one.silent)))));
  }

  slowest(found) {
    return table([[say("level")], [say("cases")], [say("state")], [say("age"), "n"]], found.slowest.map((one) => el("tr", {},
      el("td", {}, levelBadge(one.level, one.peak)),
      el("td", {}, el("button", { type: "button", "data-focus": one.id, onclick: () => this.open(one.id) }, titled(one.title)), el("br"), one.grid_name ?? one.grid ?? ""),
      el("td", {}, stateWord(one.state), el("br"), titled(one.department_title) ?? ""), el("td", { class: "n" }, lasting(found.now - one.opened_t), el("br"), one.due_t && one.due_t < found.now ? say("overdue") : time(one.due_t)))));
  }

  silent(found) {
    if (!found.silent) return el("p", { class: "empty" }, say("no_silent"));
    return table([[say("sensor")], [say("area")], [say("since", { time: "" }), "n"]], found.silent_sensors.map((alert) => el("tr", {},
      el("td", {}, alert.sensor, el("br"), kindWord(alert.kind)), el("td", {}, this.path.name(alert.grid?.slice(0, 12) ?? "")), el("td", { class: "n" }, dayTime(alert.raised_t), el("br"), lasting(found.now - alert.raised_t)))));
  }
}
