// A case's sensors over time: values as lines, the rule's levels as dashed lines, people's and the system's moves as ticks.

import { svg } from "../dom.js";
import { amount, kindWord, levelWord, moveWord, say, time } from "../words/words.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [416, 168, 38, 10, 14, 22];
const LINES = 4;
const MARKED = new Set(["start", "finish", "verify", "close", "return", "suspend", "resume"]);

function levelsOf(rule) {
  if (!rule || rule.window || (rule.measure && rule.measure !== "v")) return [];
  return Object.entries(rule.levels ?? {}).flatMap(([name, level]) => {
    const value = Number(String(level.set ?? "").replace(/^[<>=!]+\s*/, ""));
    return level.set && Number.isFinite(value) ? [{ name, value }] : [];
  });
}

// round steps for about four lines across
function steps(low, high) {
  const rough = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(Number(value.toFixed(6)));
  return found;
}

// what is drawn: sensors of one kind, the levels that its readings came near, and the moves within its time
function frame(series, events, rule) {
  const { kind } = series[0];
  const points = series.flatMap((one) => one.points);
  const times = points.map(([t]) => t);
  const values = points.map(([, v]) => v);
  const from = times.reduce((least, t) => Math.min(least, t), Infinity);
  const highest = values.reduce((most, v) => Math.max(most, v), -Infinity);
  const lowest = values.reduce((least, v) => Math.min(least, v), Infinity);
  const moves = events.filter((event) => MARKED.has(event.move) && event.t >= from);
  const to = [...times, ...moves.map((event) => event.t)].reduce((most, t) => Math.max(most, t), -Infinity);
  const reached = levelsOf(rule?.reads?.includes(kind) ? rule : null).filter(({ value }) => value <= Math.max(highest * 1.6, 1) && value >= Math.min(0, lowest * 1.6));
  const low = Math.min(0, lowest, ...reached.map(({ value }) => value));
  const high = Math.max(highest, ...reached.map(({ value }) => value)) * 1.08 || 1;
  const x = (t) => LEFT + ((t - from) / (to - from || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (v) => HEIGHT - BOTTOM - ((v - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM);
  return { kind, points, moves, reached, from, to, low, high, x, y };
}

// words of lines that lie close stand beside each other
function limits({ kind, reached, y }) {
  let [below, shifted] = [Infinity, 0];
  return [...reached].sort((a, b) => a.value - b.value).flatMap(({ name, value }) => {
    const at = y(value);
    shifted = below - at < 11 ? shifted + 1 : 0;
    below = at;
    const word = say("threshold", { level: levelWord(name), value: amount(kind, value) });
    return [
      svg("line", { class: `limit c-${name}`, x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }, svg("title", {}, word)),
      svg("text", { class: `limit-word c-${name}`, x: LEFT + 5 + shifted * 62, y: at - 3 }, word),
    ];
  });
}

function ticks({ moves, x }) {
  return moves.flatMap((event, i) => {
    const failed = event.move === "verify" && event.data.result === "fail" ? "failed" : "";
    const word = event.move === "verify" ? moveWord(`verify_${event.data.result ?? "pass"}`) : moveWord(event.move);
    const title = () => svg("title", {}, `${time(event.t)} ${word}`);
    const room = (i + 1 < moves.length ? x(moves[i + 1].t) : WIDTH) - x(event.t);
    return [
      svg("line", { class: `move ${failed}`, x1: x(event.t), x2: x(event.t), y1: TOP, y2: HEIGHT - BOTTOM }, title()),
      svg("circle", { class: `move-dot ${failed}`, cx: x(event.t), cy: TOP, r: 3.5 }, title()),
      // words that would run into the next tick are left to the title
      room >= 56 && svg("text", { x: x(event.t) + 7, y: TOP + 3.5 }, word),
    ];
  });
}

function lines(series, { x, y, low }) {
  return series.flatMap((one, i) => {
    const path = one.points.map(([t, v], k) => `${k ? "L" : "M"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    return [
      svg("path", { class: `under s-${i}`, d: `${path}L${x(one.points.at(-1)[0]).toFixed(1)} ${y(low)}L${x(one.points[0][0]).toFixed(1)} ${y(low)}Z` }),
      svg("path", { class: `series s-${i}`, d: path, fill: "none" }, svg("title", {}, one.sensor)),
    ];
  });
}

// the drawing of the first kind that has values; null when none has two
export function chart(all, events, rule) {
  const drawn = all.filter(({ points }) => points.length > 1);
  if (!drawn.length) return null;
  const kind = (drawn.find((one) => rule?.reads?.includes(one.kind)) ?? drawn[0]).kind;
  const series = drawn.filter((one) => one.kind === kind).slice(0, LINES);
  const found = frame(series, events, rule);
  const peak = found.points.reduce((best, point) => (point[1] > best[1] ? point : best));
  const across = steps(found.low, found.high).flatMap((value) => [
    svg("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: found.y(value), y2: found.y(value) }),
    svg("text", { x: LEFT - 6, y: found.y(value) + 3.5, "text-anchor": "end" }, String(value)),
  ]);
  return svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img",
    "aria-label": say("chart_of", { kind: kindWord(kind), value: amount(kind, peak[1]), time: time(peak[0]) }),
  }, across, limits(found), ticks(found), lines(series, found),
  svg("text", { x: LEFT, y: HEIGHT - 6 }, time(found.from)), svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, time(found.to)));
}
