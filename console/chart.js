// A case's sensors over time: values as lines, the rule's levels as dashed lines, people's and the system's moves as ticks.

import { COLOURS } from "./map.js";
import { amount, kindWord, levelWord, moveWord, time } from "./words.js";

const SPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [416, 168, 38, 10, 14, 22];
const LINES = ["#63d5ea", "#d6a8ff", "#9fe08a", "#ffb38a"];
const MARKED = new Set(["start", "finish", "verify", "close", "return", "suspend", "resume"]);

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

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

export function chart(series, events, rule) {
  const drawn = series.filter(({ points }) => points.length > 1).slice(0, LINES.length);
  if (!drawn.length) return null;
  const { kind } = drawn[0];
  const same = drawn.filter((one) => one.kind === kind);
  const points = same.flatMap((one) => one.points);
  const levels = levelsOf(rule).filter(() => rule.reads?.includes(kind));
  const times = points.map(([t]) => t);
  const values = points.map(([, v]) => v);
  const peak = points.reduce((best, point) => (point[1] > best[1] ? point : best));
  const from = Math.min(...times);
  const moved = events.filter((event) => MARKED.has(event.move) && event.t >= from);
  const to = Math.max(...times, ...moved.map((event) => event.t));
  const reached = levels.filter(({ value }) => value <= Math.max(...values) * 1.6);
  const low = Math.min(0, ...values);
  const high = Math.max(...values, ...reached.map(({ value }) => value)) * 1.08 || 1;
  const x = (t) => LEFT + ((t - from) / (to - from || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (v) => HEIGHT - BOTTOM - ((v - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const text = (attributes, words) => svg("text", { fill: "#a3b4cc", "font-size": 10.5, ...attributes }, words);
  const root = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img",
    "aria-label": `${kindWord(kind)}：${amount(kind, peak[1])} ${time(peak[0])}`,
  });
  for (const value of steps(low, high)) {
    root.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), stroke: "#1f2e47" }), text({ x: LEFT - 6, y: y(value) + 3.5, "text-anchor": "end" }, String(value)));
  }
  for (const { name, value } of reached) {
    root.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), stroke: COLOURS[name], "stroke-dasharray": "5 4", "stroke-opacity": 0.75 },
      svg("title", {}, `${levelWord(name)} ${amount(kind, value)}`)));
  }
  for (const [i, event] of moved.entries()) {
    const failed = event.move === "verify" && event.data.result === "fail";
    const colour = failed ? COLOURS.red : "#e8eff9";
    const word = event.move === "verify" ? moveWord(`verify_${event.data.result ?? "pass"}`) : moveWord(event.move);
    root.append(svg("line", { x1: x(event.t), x2: x(event.t), y1: TOP, y2: HEIGHT - BOTTOM, stroke: colour, "stroke-opacity": 0.55, "stroke-dasharray": "2 3" }, svg("title", {}, `${time(event.t)} ${word}`)),
      svg("circle", { cx: x(event.t), cy: TOP, r: 3.5, fill: colour }, svg("title", {}, `${time(event.t)} ${word}`)));
    const room = (i + 1 < moved.length ? x(moved[i + 1].t) : WIDTH) - x(event.t);
    // words that would run into the next tick are left to the title
    if (room >= 56) root.append(text({ x: x(event.t) + 7, y: TOP + 3.5, fill: failed ? COLOURS.red : "#cfdcef" }, word));
  }
  same.forEach((one, i) => {
    const path = one.points.map(([t, v], k) => `${k ? "L" : "M"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    root.append(
      svg("path", { d: `${path}L${x(one.points.at(-1)[0]).toFixed(1)} ${y(low)}L${x(one.points[0][0]).toFixed(1)} ${y(low)}Z`, fill: LINES[i], "fill-opacity": 0.1 }),
      svg("path", { d: path, fill: "none", stroke: LINES[i], "stroke-width": 1.8, "stroke-linejoin": "round" }, svg("title", {}, one.sensor)));
  });
  root.append(text({ x: LEFT, y: HEIGHT - 6 }, time(from)), text({ x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, time(to)));
  return root;
}
