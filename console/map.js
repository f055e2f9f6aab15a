// The city on a canvas: areas below, then rain, sensors, alerts that pulse, and cases as pins.

import { Areas } from "./areas.js";
import { View } from "./view.js";

export const COLOURS = { blue: "#58a8ff", yellow: "#ffd43b", orange: "#ff9a3d", red: "#ff5f6d" };
const KINDS = { water: "#35c3ff", drain: "#35c3ff", gas: "#c79bff", rain: "#6d8dff", fire: "#ffb38a", waste: "#a5d46a" };
const RANK = { blue: 1, yellow: 2, orange: 3, red: 4 };
const still = matchMedia("(prefers-reduced-motion: reduce)");

export const kindColour = (kind) => KINDS[kind.split(".")[0]] ?? "#93a7c4";

function cloud(colour) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 128;
  const context = canvas.getContext("2d");
  const shade = context.createRadialGradient(64, 64, 0, 64, 64, 64);
  shade.addColorStop(0, colour);
  shade.addColorStop(1, colour.replace("rgb(", "rgba(").replace(")", ",0)"));
  context.fillStyle = shade;
  context.fillRect(0, 0, 128, 128);
  return canvas;
}

export class CityMap {
  constructor(canvas, { picked, hovered }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.view = new View();
    this.areas = new Areas(this.view);
    this.sensors = new Map();
    this.alerts = [];
    this.cases = [];
    this.readings = 0;
    this.selected = null;
    this.picked = picked;
    this.hovered = hovered;
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
    requestAnimationFrame((now) => this.frame(now));
  }

  locate(bounds) {
    this.bounds = bounds;
    this.view.origin((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2);
    this.fit();
  }

  fit() {
    if (this.bounds) this.view.fit(this.bounds);
    this.dirty = true;
  }

  // begin where most of the city's sensors are; the whole city is one key away
  beginAt(rows) {
    const placed = rows.filter((row) => row.lon !== null);
    if (placed.length < 50 || this.view.scale !== this.view.whole) return;
    const middle = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
    [this.view.x, this.view.y] = this.view.metres(middle(placed.map((row) => row.lon)), middle(placed.map((row) => row.lat)));
    this.view.scale *= 1.75;
    this.dirty = true;
  }

  addAreas(level, features) {
    this.areas.add(level, features);
    this.dirty = true;
  }

  setSensors(rows) {
    for (const row of rows) {
      if (row.lon === null) continue;
      const [x, y] = this.view.metres(row.lon, row.lat);
      this.sensors.set(`${row.sensor} ${row.kind}`, { ...row, x, y, colour: kindColour(row.kind) });
    }
    this.readings += 1;
    this.dirty = true;
  }

  setAlerts(alerts) {
    this.alerts = this.placed(alerts.filter((alert) => alert.open)).sort((a, b) => RANK[a.level] - RANK[b.level]);
    this.dirty = true;
  }

  setCases(cases) {
    this.cases = this.placed(cases.filter((one) => one.open));
    this.dirty = true;
  }

  placed(things) {
    return things.filter((thing) => thing.lon !== null).map((thing) => {
      const [x, y] = this.view.metres(thing.lon, thing.lat);
      return { ...thing, x, y };
    });
  }

  select(id) {
    this.selected = id;
    this.dirty = true;
  }

  show(lon, lat) {
    if (lon === null) return;
    [this.view.x, this.view.y] = this.view.metres(lon, lat);
    this.view.scale = Math.max(this.view.scale, 0.16);
    this.dirty = true;
  }

  centre() {
    return this.view.place(this.view.width / 2, this.view.height / 2);
  }

  // ask for a place: the next click answers it; null when it was called off
  ask() {
    this.answer(null);
    this.canvas.parentElement.classList.add("asking");
    this.canvas.focus();
    return new Promise((resolve) => {
      this.asking = resolve;
    });
  }

  answer(place) {
    this.asking?.(place);
    this.asking = null;
    this.canvas.parentElement.classList.remove("asking");
  }

  zoom(factor, px, py) {
    this.view.zoom(factor, px, py);
    this.moved();
  }

  moved() {
    this.areas.movedAt = performance.now();
    this.dirty = true;
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.ratio = ratio;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    const untouched = this.view.scale === this.view.whole;
    this.view.width = clientWidth;
    this.view.height = clientHeight;
    if (untouched) this.fit();
    this.dirty = true;
  }

  frame(now) {
    requestAnimationFrame((next) => this.frame(next));
    const lively = this.alerts.length > 0 && !still.matches && !document.hidden;
    const settling = this.areas.movedAt && now - this.areas.movedAt < 400;
    if (!this.dirty && !settling && !(lively && now - (this.last ?? 0) > 45)) return;
    this.dirty = false;
    this.last = now;
    this.draw(now);
  }

  draw(now) {
    const { context, view, ratio } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    this.canvas.dataset.centre = view.place(view.width / 2, view.height / 2).map((degrees) => degrees.toFixed(5)).join(",");
    this.canvas.dataset.metresPerPixel = (1 / view.scale).toFixed(2);
    this.areas.draw(context, ratio);
    this.drawGrids(now);
    this.drawStill();
    for (const alert of this.alerts) this.drawAlert(alert, now);
    for (const one of this.cases) this.drawCase(one);
  }

  // the unit grids of open alerts, filled with the colour of the highest level
  drawGrids(now) {
    const { context, view, ratio } = this;
    const highest = new Map();
    for (const alert of this.alerts) if (alert.grid) highest.set(alert.grid, alert.level);
    const beat = still.matches ? 0.3 : 0.24 + 0.12 * Math.sin(now / 420);
    context.save();
    context.setTransform(view.scale * ratio, 0, 0, view.scale * ratio, (view.width / 2 - view.x * view.scale) * ratio, (view.height / 2 - view.y * view.scale) * ratio);
    for (const [code, level] of highest) {
      const grid = this.areas.byCode.get(code);
      if (!grid) continue;
      context.fillStyle = COLOURS[level];
      context.globalAlpha = beat;
      context.fill(grid.path);
      context.globalAlpha = 0.9;
      context.strokeStyle = COLOURS[level];
      context.lineWidth = 1.2 / view.scale;
      context.stroke(grid.path);
    }
    context.restore();
  }

  // rain and sensors are drawn anew only when the view or a reading changed, not with every pulse
  drawStill() {
    const { context, view, ratio } = this;
    const now = `${view.x} ${view.y} ${view.scale} ${view.width} ${view.height} ${this.readings}`;
    if (this.stillOf !== now) {
      this.stillOf = now;
      this.still ??= document.createElement("canvas");
      this.still.width = this.canvas.width;
      this.still.height = this.canvas.height;
      const below = this.still.getContext("2d");
      below.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.drawRain(below);
      this.drawSensors(below);
    }
    context.drawImage(this.still, 0, 0, view.width, view.height);
  }

  drawRain(context) {
    const { view } = this;
    this.cloud ??= cloud("rgb(52,92,214)");
    const radius = Math.max(30, 2600 * view.scale);
    for (const sensor of this.sensors.values()) {
      if (sensor.kind !== "rain.minute" || !(sensor.v > 0.02)) continue;
      const [px, py] = view.pixels(sensor.x, sensor.y);
      if (px < -radius || py < -radius || px > view.width + radius || py > view.height + radius) continue;
      context.globalAlpha = Math.min(0.55, 0.1 + sensor.v * 0.2);
      context.drawImage(this.cloud, px - radius, py - radius, 2 * radius, 2 * radius);
    }
  }

  drawSensors(context) {
    const { view } = this;
    const size = Math.min(4.2, Math.max(1.2, view.scale * 22));
    for (const sensor of this.sensors.values()) {
      const [px, py] = view.pixels(sensor.x, sensor.y);
      if (px < -12 || py < -12 || px > view.width + 12 || py > view.height + 12) continue;
      const wet = sensor.kind === "water.level" && sensor.v > 2 ? Math.min(9, sensor.v / 6) : 0;
      context.globalAlpha = sensor.t === null ? 0.28 : wet ? 0.85 : 0.55;
      context.fillStyle = sensor.colour;
      context.beginPath();
      context.arc(px, py, size + wet, 0, 7);
      context.fill();
    }
  }

  drawAlert(alert, now) {
    const { context, view } = this;
    const [px, py] = view.pixels(alert.x, alert.y);
    const colour = COLOURS[alert.level];
    const phase = still.matches ? 0.4 : (now / (alert.level === "red" ? 1100 : 1900) + Math.abs(alert.x % 7) / 7) % 1;
    const reach = 10 + 5 * RANK[alert.level];
    context.save();
    if (alert.kind.startsWith("gas.")) {
      const cloud = context.createRadialGradient(px, py, 0, px, py, reach * (1.1 + 0.5 * phase));
      cloud.addColorStop(0, colour);
      cloud.addColorStop(1, "transparent");
      context.globalAlpha = 0.55 - 0.25 * phase;
      context.fillStyle = cloud;
      context.beginPath();
      context.arc(px, py, reach * (1.1 + 0.5 * phase), 0, 7);
      context.fill();
    } else {
      const flat = alert.kind.startsWith("water.") ? 0.55 : 1; // ripples on a road lie flat
      context.strokeStyle = colour;
      context.lineWidth = 2;
      for (const part of alert.kind.startsWith("water.") ? [phase, (phase + 0.5) % 1] : [phase]) {
        context.globalAlpha = 0.9 * (1 - part);
        context.beginPath();
        context.ellipse(px, py, 4 + reach * part, (4 + reach * part) * flat, 0, 0, 7);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
    context.fillStyle = colour;
    context.strokeStyle = "#070c16";
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(px, py, 4.5, 0, 7);
    context.fill();
    context.stroke();
    context.restore();
  }

  drawCase(one) {
    const { context, view } = this;
    const [px, py] = view.pixels(one.x, one.y);
    const chosen = one.id === this.selected;
    const r = chosen ? 11 : 8;
    context.save();
    context.translate(px, py - r - 9);
    context.beginPath();
    context.moveTo(0, r + 8);
    context.arc(0, 0, r, Math.PI * 0.8, Math.PI * 2.2);
    context.closePath();
    context.fillStyle = COLOURS[one.level ?? one.peak] ?? "#8aa0c2";
    context.strokeStyle = chosen ? "#ffffff" : "#070c16";
    context.lineWidth = chosen ? 2.5 : 1.5;
    context.fill();
    context.stroke();
    context.fillStyle = "#0a0f18";
    context.font = `bold ${chosen ? 12 : 9}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("案", 0, 0.5);
    context.restore();
  }

  // what lies under a pixel: a case's pin, else an alert, else a sensor
  under(px, py) {
    const near = (things, reach, lift = 0) => {
      let [best, least] = [null, reach * reach];
      for (const thing of things) {
        const [x, y] = this.view.pixels(thing.x, thing.y);
        const d = (x - px) ** 2 + (y - lift - py) ** 2;
        if (d < least) [best, least] = [thing, d];
      }
      return best;
    };
    const one = near(this.cases, 13, 17);
    if (one) return { case: one };
    const alert = near(this.alerts, 12);
    if (alert) return { alert };
    const sensor = near(this.sensors.values(), 9);
    return sensor ? { sensor } : null;
  }

  listen() {
    const { canvas } = this;
    const pointers = new Map();
    let travelled = 0;
    const at = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, at(event));
      travelled = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return this.hovered(this.under(...at(event)), ...at(event));
      const now = at(event);
      if (pointers.size === 2) {
        const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const spread = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
        this.zoom(spread(now) / spread(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      } else {
        this.view.pan(now[0] - before[0], now[1] - before[1]);
        this.moved();
      }
      travelled += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
      pointers.set(event.pointerId, now);
      return undefined;
    });
    const up = (event) => {
      if (!pointers.delete(event.pointerId) || travelled >= 6 || event.type !== "pointerup") return;
      if (this.asking) this.answer(this.view.place(...at(event)));
      else this.picked(this.under(...at(event)));
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => this.hovered(null));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), ...at(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
      if (step) this.view.pan(...step);
      else if (event.key === "+" || event.key === "=") this.view.zoom(1.4);
      else if (event.key === "-") this.view.zoom(1 / 1.4);
      else if (event.key === "Enter" && this.asking) this.answer(this.centre());
      else return;
      event.preventDefault();
      this.moved();
    });
  }
}
