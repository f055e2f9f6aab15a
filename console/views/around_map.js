// What stands on and beside the map: its legend with switches, and the words for what lies under the pointer.

import { el } from "../dom.js";
import { amount, attrWords, familyWord, kindWord, levelRank, levelWord, measured, say, stateWord, time, titled } from "../words/words.js";
import { LEVELS } from "../map/layers.js";

const FAMILIES = ["gas", "water", "drain", "rain", "fire", "waste", "video", "vehicle"];

export function legend(map) {
  const swap = (id, word, ...names) => {
    const box = el("input", { type: "checkbox", id, onchange: (event) => map?.showKind(event.target.checked, ...names) });
    box.checked = true;
    return el("label", {}, box, say(word));
  };
  return [
    ...LEVELS.map((level) => el("span", {}, el("i", { class: `square c-${level}` }), `${levelRank(level)} ${levelWord(level)}`)),
    ...FAMILIES.map((family) => el("span", {}, el("i", { class: `k-${family}` }), familyWord(family))),
    el("span", {}, el("i", { class: "ring" }), say("silent")),
    swap("show-sensors", "sensors", "sensors"), swap("show-vehicles", "vehicles", "vehicles"), swap("show-zones", "zones", "zones-fill", "zones-line"),
  ];
}

// lines about a case, an alert, a sensor or a grid; null for none
export function tipOf(found, city, again) {
  const lines = (...all) => all.filter(Boolean).map((text, i) => el(i ? "span" : "b", {}, text));
  if (found.case) {
    const one = city.cases.get(found.case);
    return one ? lines(titled(one.title), `${stateWord(one.state)} · ${one.grid_name ?? one.grid ?? ""}`, one.id) : null;
  }
  if (found.alert) {
    const alert = city.alerts.get(found.alert);
    return alert ? lines(titled(alert.title), `${levelWord(alert.level)} · ${kindWord(alert.kind)} ${measured(city.rules.get(alert.rule), alert.kind, alert.value)}`, `${alert.sensor} · ${say("since", { time: time(alert.raised_t) })}`) : null;
  }
  if (found.sensor) {
    const sensor = city.sensors.get(found.sensor)?.properties;
    return sensor ? lines(`${kindWord(sensor.kind)} ${amount(sensor.kind, sensor.v)}`, sensor.site ?? sensor.sensor, `${sensor.sensor}${sensor.t ? ` · ${time(sensor.t)}` : ""}`, attrWords(city.carried(sensor.sensor, sensor.kind, sensor.t, again))) : null;
  }
  if (found.grid) return lines(found.grid.name ?? found.grid.code, [found.grid.code, found.grid.officer].filter(Boolean).join(" · "));
  return null;
}
