// The lists at the side: cases and alerts, and the figures on top.

import { $, el } from "./dom.js";
import { levelBadge } from "./story.js";
import { kindWord, levelWord, measured, say, stateWord, time } from "./words.js";

const RANK = { red: 4, orange: 3, yellow: 2, blue: 1 };
export const LEVELS = ["red", "orange", "yellow", "blue"];
const STAGES = ["reported", "accepted", "filed", "dispatched", "handling", "handled", "verified", "returned", "suspended"];
const SHOWN = 250;

const place = (one) => one.grid_name ?? one.grid ?? say("none");

export function drawCases(cases, { stage, search, current, fresh, open }) {
  const wanted = search.trim().toLowerCase();
  const kept = cases
    .filter((one) => (stage === "closed" ? !one.open : stage ? one.state === stage : one.open))
    .filter((one) => !wanted || [one.id, one.title, one.sensor, one.grid_name, one.text].some((text) => text?.toLowerCase().includes(wanted)))
    .sort((a, b) => (RANK[b.level] ?? 0) - (RANK[a.level] ?? 0) || b.opened_t - a.opened_t);
  fill($("cases"), kept.slice(0, SHOWN).map((one) => el("li", {},
    el("button", {
      type: "button", id: `case-${one.id}`, "data-case": one.id, "aria-current": String(one.id === current),
      class: `card ${one.level ?? one.peak ? `c-${one.level ?? one.peak}` : ""} ${one.open ? "" : "closed"} ${fresh.has(one.id) ? "fresh" : ""}`, onclick: () => open(one.id),
    },
      levelBadge(one.level, one.peak),
      el("span", { class: "title", title: one.title }, one.title), el("span", { class: "state" }, stateWord(one.state)),
      el("span", { class: "where" }, [place(one), one.department_title, ...one.flags.map((flag) => say(flag))].filter(Boolean).join(" · ")),
      el("span", { class: "when" }, time(one.opened_t))))), say("no_cases"));
}

export function drawAlerts(alerts, { rules, open }) {
  const kept = alerts.filter((alert) => alert.open).sort((a, b) => RANK[b.level] - RANK[a.level] || b.changed_t - a.changed_t);
  fill($("alerts"), kept.slice(0, SHOWN).map((alert) => el("li", {},
    el("button", { type: "button", id: `alert-${alert.episode}`, class: `card c-${alert.level}`, onclick: () => open(alert) },
      levelBadge(alert.level),
      el("span", { class: "title", title: alert.title }, alert.title || rules.get(alert.rule)?.title || alert.rule), el("span", { class: "state" }, alert.value === null ? "" : measured(rules.get(alert.rule), alert.kind, alert.value)),
      el("span", { class: "where" }, `${kindWord(alert.kind)} · ${alert.sensor}`), el("span", { class: "when" }, time(alert.raised_t))))), say("no_alerts"));
}

// replace the rows, keeping the keyboard where it was
function fill(list, rows, empty) {
  const focus = list.contains(document.activeElement) ? document.activeElement.id : null;
  list.replaceChildren(...(rows.length ? rows : [el("li", { class: "empty" }, empty)]));
  if (focus) $(focus)?.focus({ preventScroll: true });
}

export function drawCounts(cases, alerts) {
  const open = cases.filter((one) => one.open);
  const raised = alerts.filter((alert) => alert.open);
  $("cases-total").textContent = open.length;
  $("alerts-total").textContent = raised.length;
  $("level-counts").replaceChildren(...LEVELS.map((level) => {
    const count = raised.filter((alert) => alert.level === level).length;
    return el("div", { class: `c-${level} ${count ? "some" : ""}` }, el("dt", {}, levelWord(level)), el("dd", {}, String(count)));
  }));
  const stages = [["reported", ["reported"]], ["dispatched", ["accepted", "filed", "dispatched", "returned"]], ["handling", ["handling", "suspended"]], ["handled", ["handled", "verified"]]];
  $("stage-counts").replaceChildren(...stages.map(([name, states]) => el("div", {}, el("dt", {}, stateWord(name)), el("dd", {}, String(open.filter((one) => states.includes(one.state)).length)))),
    el("div", {}, el("dt", {}, stateWord("closed")), el("dd", {}, String(cases.filter((one) => one.state === "closed").length))));
}

export function drawStages(chosen) {
  $("stage").replaceChildren(
    el("option", { value: "" }, say("all_states")),
    ...STAGES.map((state) => el("option", { value: state }, stateWord(state))),
    el("option", { value: "closed" }, say("closed_states")));
  $("stage").value = chosen;
}
