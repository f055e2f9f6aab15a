// Saying things in the chosen language; figures and times as the city reads them.

import { attrs as attrTable, attrValues, families, kinds, levels, moves, ranks, roles, states, texts, zones } from "./table.js";

let english = localStorage.getItem("language") === "en";

export const isEnglish = () => english;

export function setEnglish(on) {
  english = on;
  localStorage.setItem("language", on ? "en" : "zh");
}

// what the city's data is called — rules, categories, departments — in English, by what it is called here
const englishOf = new Map();

// each of `titles` has a title and maybe a title_en; kinds that the tables do not know are learnt as they are
export function learn(titles, found) {
  for (const { title, title_en: other } of titles) if (other) englishOf.set(title, other);
  for (const { name, title, title_en: other, unit } of found) kinds[name] ??= [title, other ?? title, unit];
}

export const titled = (title) => (english ? englishOf.get(title) : null) ?? title;

const pick = (table, key) => (table[key] ? table[key][english ? 1 : 0] : key);

export const say = (key, values = {}) => pick(texts, key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
export const levelWord = (level) => (level ? pick(levels, level) : say("level_none"));
export const levelRank = (level) => ranks[level] ?? "";
export const stateWord = (state) => pick(states, state);
export const moveWord = (move) => pick(moves, move);
export const roleWord = (role) => pick(roles, role);
export const kindWord = (kind) => pick(kinds, kind);
export const familyWord = (family) => pick(families, family);
export const zoneWord = (set) => pick(zones, set);

// what a vehicle says of itself, in the order of the table; what is not in it is for machines
export const attrWords = (attrs) => Object.keys(attrTable).filter((name) => attrs?.[name] !== undefined && attrs[name] !== null)
  .map((name) => `${pick(attrTable, name)} ${typeof attrs[name] === "boolean" ? say(attrs[name] ? "yes" : "no") : pick(attrValues, attrs[name])}`).join(" · ");

export function amount(kind, value) {
  if (value === null || value === undefined) return say("no_value");
  const unit = kinds[kind] ? (english ? kinds[kind][3] : undefined) ?? kinds[kind][2] : "";
  const figure = Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toFixed(2)).toString();
  return `${figure} ${unit}`.trim();
}

// the value that a rule decided on: after its window, and in no unit where it is an expression
export function measured(rule, kind, value) {
  if (value === null || value === undefined) return say("no_value");
  const plain = Number(value.toFixed(2)).toString();
  if (rule?.measure && rule.measure !== "v") return plain;
  if (rule?.window?.agg === "count") return `${plain} ${english ? "times" : "次"}`;
  return rule?.window?.agg === "rate" ? `${amount(kind, value)}/${english ? "min" : "分钟"}` : amount(kind, value);
}

const AS_CLOCKS = { timeZone: "Asia/Shanghai", hourCycle: "h23" };
const of = (parts) => new Intl.DateTimeFormat("zh-CN", { ...AS_CLOCKS, ...parts });
let [clock, day, hour, whole] = [];

// the time zone of the city: whoever looks from elsewhere sees the same times
export function useZone(zone) {
  if (clock && (!zone || zone === AS_CLOCKS.timeZone)) return;
  const before = AS_CLOCKS.timeZone;
  AS_CLOCKS.timeZone = zone ?? before;
  const two = "2-digit";
  const make = () => {
    [clock, day, hour] = [of({ hour: two, minute: two, second: two }), of({ month: two, day: two }), of({ hour: two })];
    whole = of({ year: "numeric", month: two, day: two, hour: two, minute: two, second: two });
  };
  try {
    make();
  } catch { // a zone that this browser does not know
    AS_CLOCKS.timeZone = before;
    make();
  }
}
useZone();

// the moment that the city's clocks call so, of a text as 2026-07-18T17:30
export function moment(text) {
  const wanted = Date.parse(`${text}:00Z`);
  const shown = (ms) => {
    const part = Object.fromEntries(whole.formatToParts(ms).map(({ type, value }) => [type, value]));
    return Date.parse(`${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}Z`);
  };
  const near = wanted - (shown(wanted) - wanted);
  return near - (shown(near) - wanted);
}

const known = (ms) => ms !== null && ms !== undefined;
export const time = (ms) => (known(ms) ? clock.format(ms) : say("none"));
export const dayTime = (ms) => (known(ms) ? `${day.format(ms)} ${clock.format(ms)}` : say("none"));
export const hourOf = (ms) => hour.format(ms).replace(/\D/g, "");

export function lasting(ms) {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  const parts = [[days, "天", "d"], [hours, "小时", "h"], [rest, "分", "min"]].filter(([n], i) => n > 0 || (i === 2 && minutes === 0));
  return parts.slice(0, 2).map(([n, zh, en]) => `${n}${english ? ` ${en}` : zh}`).join(english ? " " : "");
}

// every element with a word, a hint or a name of the tables is said anew
export function speak(root = document) {
  document.documentElement.lang = english ? "en" : "zh-CN";
  document.title = say("title");
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of root.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
  for (const element of root.querySelectorAll("[data-name]")) element.setAttribute("aria-label", say(element.dataset.name));
}
