// Where one is between city, street, community and grid, and the way down and up; the same on map and overview.

import * as api from "../talk/api.js";
import { el } from "../dom.js";
import { say } from "../words/words.js";

const BELOW = { 0: 9, 9: 12, 12: 15 };
const DIGITS = { street: 9, community: 12 };

function boxOf({ bbox, geometry }) {
  if (bbox) return bbox;
  const rings = geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat();
  const all = rings.flat();
  const [lons, lats] = [all.map(([lon]) => lon), all.map(([, lat]) => lat)];
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

export class Path {
  constructor(changed) {
    this.changed = changed;
    this.code = "";
    this.known = new Map();
    this.navs = [];
  }

  learn(features) {
    for (const feature of features) this.known.set(feature.properties.code, { name: feature.properties.name ?? feature.properties.code, box: boxOf(feature), properties: feature.properties });
    this.draw();
  }

  name(code) {
    return this.known.get(code)?.name ?? code;
  }

  get box() {
    return this.known.get(this.code)?.box ?? null;
  }

  async go(code) {
    this.code = code;
    if (code.length === DIGITS.community && !this.children().length) {
      const { features } = await api.areas("grid", code);
      if (this.code !== code) return;
      this.learn(features);
    }
    this.draw();
    this.changed(code);
  }

  up() {
    const shorter = [0, 9, 12, 15].filter((digits) => digits < this.code.length).at(-1) ?? 0;
    return this.go(this.code.slice(0, shorter));
  }

  children(code = this.code) {
    const digits = BELOW[code.length];
    return digits ? [...this.known.keys()].filter((one) => one.length === digits && one.startsWith(code)).sort() : [];
  }

  show(nav) {
    this.navs.push(nav);
    this.draw();
  }

  draw() {
    for (const nav of this.navs) this.fill(nav);
  }

  fill(nav) {
    const steps = ["", ...[9, 12, 15].filter((digits) => digits <= this.code.length).map((digits) => this.code.slice(0, digits))];
    const held = nav.contains(document.activeElement);
    const children = this.children();
    const pick = children.length > 0 && el("select", { "aria-label": say("path"), onchange: (event) => event.target.value && this.go(event.target.value) },
      el("option", { value: "" }, "…"), children.map((code) => el("option", { value: code }, this.name(code))));
    nav.replaceChildren(
      ...steps.flatMap((code, i) => [i > 0 && el("span", { "aria-hidden": "true" }, "›"),
        el("button", { type: "button", disabled: code === this.code, "aria-current": code === this.code ? "location" : null, onclick: () => this.go(code) }, code ? this.name(code) : say("whole_city"))]).filter(Boolean),
      ...(pick ? [el("span", { "aria-hidden": "true" }, "›"), pick] : []));
    if (held) (nav.querySelector("select") ?? nav.querySelector("button:not(:disabled)"))?.focus();
  }
}
