// The lists at the side: cases and alerts, and the figures on top.

import { $, el } from "../dom.js";
import { kindWord, levelRank, levelWord, measured, say, stateWord, time, titled } from "../words/words.js";
import { Rows } from "./rows.js";

const RANK = { red: 4, orange: 3, yellow: 2, blue: 1 };
export const LEVELS = ["red", "orange", "yellow", "blue"];
const ROW = 68;

const place = (one) => one.grid_name ?? one.grid ?? say("none");

// the present level filled; one that is over, as a ring of the highest it was
export function levelBadge(level, peak = null) {
  const shown = level ?? peak;
  const word = levelWord(shown);
  const kind = shown ? `c-${shown} ${level ? "" : "past"}` : "none";
  const said = level || !peak ? word : say("was", { level: word });
  return el("span", { class: `level ${kind}`, title: `${levelRank(shown)} ${said}`.trim(), role: "img", "aria-label": said }, shown ? (document.documentElement.lang === "en" ? word[0] : word) : "—");
}

const mark = (one) => (one.drill ? el("em", { class: "drill" }, say("drill")) : null);

export class CaseList {
  constructor({ open, current, fresh }) {
    this.rows = new Rows($("cases"), {
      height: ROW, key: (one) => one.id, empty: () => say("no_cases"),
      stamp: (one) => `${one.seq} ${one.level} ${one.flags} ${one.id === current()} ${fresh.has(one.id)}`,
      draw: (one) => el("button", {
        type: "button", id: `case-${one.id}`, "data-case": one.id, "aria-current": String(one.id === current()),
        class: `card ${one.level ?? one.peak ? `c-${one.level ?? one.peak}` : ""} ${one.open ? "" : "closed"} ${fresh.has(one.id) ? "fresh" : ""}`, onclick: () => open(one.id),
      },
      levelBadge(one.level, one.peak),
      el("span", { class: "title", title: titled(one.title) }, mark(one), titled(one.title)), el("span", { class: "state" }, stateWord(one.state)),
      el("span", { class: "where" }, [place(one), titled(one.department_title), ...one.flags.filter((flag) => flag !== "drill").map((flag) => say(flag))].filter(Boolean).join(" · ")),
      el("span", { class: "when" }, time(one.opened_t))),
    });
  }

  draw(cases, filters) {
    const kept = cases.filter((one) => filters.passes(one));
    this.rows.set(kept.sort((a, b) => (RANK[b.level] ?? 0) - (RANK[a.level] ?? 0) || b.opened_t - a.opened_t));
    $("cases-total").textContent = kept.length;
  }
}

export class AlertList {
  constructor({ open, rules }) {
    this.rows = new Rows($("alerts"), {
      height: ROW, key: (alert) => alert.episode, empty: () => say("no_alerts"),
      stamp: (alert) => `${alert.level} ${alert.value} ${alert.changed_t} ${alert.case}`,
      draw: (alert) => el("button", { type: "button", id: `alert-${alert.episode}`, class: `card c-${alert.level}`, onclick: () => open(alert) },
        levelBadge(alert.level),
        el("span", { class: "title", title: titled(alert.title) }, mark(alert), titled(alert.title || rules.get(alert.rule)?.title) || alert.rule), el("span", { class: "state" }, alert.value === null ? "" : measured(rules.get(alert.rule), alert.kind, alert.value)),
        el("span", { class: "where" }, `${kindWord(alert.kind)} · ${alert.sensor}`), el("span", { class: "when" }, time(alert.raised_t))),
    });
  }

  // real alerts, those of exercises, or both: for the list and the map
  wants(alert) {
    const asked = $("alerts-drill").value;
    return !asked || alert.drill === (asked === "drill");
  }

  draw(alerts, area) {
    const kept = alerts.filter((alert) => alert.open && this.wants(alert) && (!area || alert.grid?.startsWith(area)));
    this.rows.set(kept.sort((a, b) => RANK[b.level] - RANK[a.level] || b.changed_t - a.changed_t));
    $("alerts-total").textContent = kept.length;
  }
}

const STAGES = [["reported", ["reported"]], ["dispatched", ["accepted", "filed", "dispatched", "returned"]], ["handling", ["handling", "suspended"]], ["handled", ["handled", "verified"]]];

export function drawCounts(cases, alerts) {
  const open = cases.filter((one) => one.open && !one.drill);
  const raised = alerts.filter((alert) => alert.open && !alert.drill);
  $("level-counts").replaceChildren(...LEVELS.map((level) => {
    const count = raised.filter((alert) => alert.level === level).length;
    return el("div", { class: `c-${level} ${count ? "some" : ""}` }, el("dt", {}, `${levelRank(level)} ${levelWord(level)}`), el("dd", {}, String(count)));
  }));
  $("stage-counts").replaceChildren(
    ...STAGES.map(([name, states]) => el("div", {}, el("dt", {}, stateWord(name)), el("dd", {}, String(open.filter((one) => states.includes(one.state)).length)))),
    el("div", {}, el("dt", {}, stateWord("closed")), el("dd", {}, String(cases.filter((one) => one.state === "closed").length))));
}
