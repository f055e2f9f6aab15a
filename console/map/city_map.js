// The city on MapLibre. What changes is gathered and handed over at most once a second, so that a storm of alerts costs
// no more than one; nothing is drawn anew while nothing changes.

import { atMost } from "../talk/turns.js";
import { say } from "../words/words.js";
import { Map as Maplibre, setWorkerUrl } from "../vendor/maplibre/maplibre-gl.mjs";
import { FONT, layers, pictures, style } from "./layers.js";

setWorkerUrl("/console/vendor/maplibre/maplibre-gl-worker.mjs");

const RANK = { blue: 1, yellow: 2, orange: 3, red: 4 };
const METRES_AT_ZOOM_0 = 78271.517; // a pixel of MapLibre's 512-pixel world at the equator
const FAMILIES = new Set(["gas", "water", "drain", "rain", "fire", "waste", "video", "vehicle"]);
const still = matchMedia("(prefers-reduced-motion: reduce)");

export const family = (kind) => {
  const name = kind.split(".")[0];
  return FAMILIES.has(name) ? name : "other";
};

const collection = (features) => ({ type: "FeatureCollection", features });
const point = (lon, lat, properties, id) => ({ type: "Feature", id, properties, geometry: { type: "Point", coordinates: [lon, lat] } });

export class CityMap {
  // `picked(what, about)` and `hovered(what, about, x, y)` are told of a case, an alert, a sensor or a grid
  constructor(root, { theme, picked, hovered, bounds }) {
    this.root = root;
    this.levels = new Map();
    this.wishes = {};
    this.counted = { repaints: 0, handed: 0 };
    this.picked = picked;
    this.hovered = hovered;
    this.bounds = bounds;
    try {
      this.map = new Maplibre({
        container: root, style: style(theme), bounds, fitBoundsOptions: { padding: 24 }, attributionControl: false, localIdeographFontFamily: FONT,
        dragRotate: false, pitchWithRotate: false, touchPitch: false, maxZoom: 20, minZoom: 7, fadeDuration: 0, renderWorldCopies: false,
        locale: { "Map.Title": say("map_is") },
      });
    } catch {
      root.replaceChildren(Object.assign(document.createElement("p"), { className: "empty", textContent: say("no_map") }));
      return;
    }
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.loaded = new Promise((done) => {
      this.map.on("load", () => {
        for (const picture of pictures()) this.map.addImage(...picture);
        root.dataset.ready = "true";
        done();
      });
    });
    this.hand = atMost(1000, () => this.handOver());
    this.listen();
  }

  get able() {
    return this.map !== undefined;
  }

  // ---- what is on it

  async put(source, data) {
    if (!this.able) return;
    await this.loaded;
    this.map.getSource(source).setData(data);
  }

  // `make` says what a source holds; it is asked only when the source is handed over
  wish(source, make) {
    if (!this.able) return;
    this.wishes[source] = make;
    this.hand();
  }

  async handOver() {
    await this.loaded;
    const wishes = this.wishes;
    this.wishes = {};
    for (const [source, make] of Object.entries(wishes)) {
      const data = make();
      if (data.update) this.map.getSource(source).updateData(data);
      else this.map.getSource(source).setData(data);
      this.counted.handed += 1;
    }
    this.root.dataset.handed = this.counted.handed;
  }

  setNames(level, features) {
    this.put(level, collection(features));
    this.put(`${level}-names`, collection(features.map(({ properties }) => point(...properties.centre, { name: properties.name }))));
  }

  setAlerts(alerts) {
    this.wish("alerts", () => {
      const open = alerts.filter((alert) => alert.open);
      this.silent = new Set(open.filter((alert) => alert.cause === "absent").map((alert) => `${alert.sensor}|${alert.kind}`));
      const placed = open.filter((alert) => alert.lon !== null && alert.cause !== "absent");
      this.fillGrids(placed);
      return collection(placed.map((alert) => point(alert.lon, alert.lat, { episode: alert.episode, level: alert.level, rank: RANK[alert.level] })));
    });
  }

  // the unit grids of open alerts take the colour of the highest level
  fillGrids(alerts) {
    const levels = new Map();
    for (const { grid, level } of alerts) if (grid && (RANK[levels.get(grid)] ?? 0) < RANK[level]) levels.set(grid, level);
    for (const [code] of this.levels) if (!levels.has(code)) this.map.removeFeatureState({ source: "grid", id: code }, "level");
    for (const [code, level] of levels) if (this.levels.get(code) !== level) this.map.setFeatureState({ source: "grid", id: code }, { level });
    this.levels = levels;
  }

  setCases(cases, chosen) {
    this.wish("cases", () => collection(cases.filter((one) => one.open && one.lon !== null)
      .map((one) => point(one.lon, one.lat, { case: one.id, rank: RANK[one.level] ?? 0, chosen: one.id === chosen }))));
  }

  // all sensors at first, later only those heard of since; a sensor's state is that of its alerts, or of its silence
  setSensors(all, news = null) {
    const known = this.known;
    this.news = [...(this.news ?? []), ...(news ?? [])];
    if (!known || !news || news.some((feature) => !known.has(feature.id))) this.whole = true;
    this.known = new Set(all.keys());
    this.wish("sensors", () => {
      const [whole, heard] = [this.whole, new Map(this.news.map((feature) => [feature.id, feature]))];
      [this.whole, this.news] = [false, []];
      if (whole) return collection([...all.values()].map((feature) => ({ ...feature, properties: this.dress(feature) })));
      return { update: [...heard.values()].map((feature) => ({
        id: feature.id, newGeometry: feature.geometry, addOrUpdateProperties: Object.entries(this.dress(feature)).map(([key, value]) => ({ key, value })),
      })) };
    });
  }

  dress({ id, properties }) {
    const state = this.silent?.has(id) ? "silent" : properties.level ?? (properties.t === null ? "unheard" : "normal");
    return { id, kind: properties.kind, v: properties.v, family: family(properties.kind), state };
  }

  showKind(on, ...names) {
    if (!this.able) return;
    this.loaded.then(() => names.forEach((name) => this.map.setLayoutProperty(name, "visibility", on ? "visible" : "none")));
  }

  dye(theme) {
    if (!this.able) return;
    this.loaded.then(() => {
      for (const { id, paint } of layers(theme)) for (const [name, value] of Object.entries(paint ?? {})) this.map.setPaintProperty(id, name, value);
    });
  }

  // ---- where it looks

  fit(box = this.bounds) {
    this.able && this.map.fitBounds(box, { padding: 24, animate: !still.matches, duration: 500 });
  }

  // begin where most of the city's sensors are; the whole city is one key away
  beginAt(places) {
    if (!this.able || places.length < 50) return;
    const middle = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
    this.map.jumpTo({ center: [middle(places.map(([lon]) => lon)), middle(places.map(([, lat]) => lat))], zoom: this.map.getZoom() + 1.6 });
  }

  show(lon, lat) {
    if (!this.able || lon === null) return;
    this.map.jumpTo({ center: [lon, lat], zoom: Math.max(this.map.getZoom(), 14) });
  }

  zoom(by) {
    this.able && this.map.zoomTo(this.map.getZoom() + by, { duration: still.matches ? 0 : 200 });
  }

  // ask for a place: the next click answers it, Enter takes the centre; null when it was called off
  ask() {
    this.answer(null);
    if (!this.able) return Promise.resolve(null);
    this.root.classList.add("asking");
    this.map.getCanvas().focus();
    return new Promise((resolve) => {
      this.asking = resolve;
    });
  }

  answer(place) {
    this.asking?.(place);
    this.asking = null;
    this.root.classList.remove("asking");
  }

  centre() {
    const { lng, lat } = this.map.getCenter();
    return [lng, lat];
  }

  // ---- hands

  listen() {
    const { map, root } = this;
    map.on("render", () => {
      this.counted.repaints += 1;
      root.dataset.repaints = this.counted.repaints;
    });
    const looked = () => {
      root.dataset.centre = this.centre().map((degrees) => degrees.toFixed(5)).join(",");
      root.dataset.metresPerPixel = ((METRES_AT_ZOOM_0 * Math.cos((map.getCenter().lat * Math.PI) / 180)) / 2 ** map.getZoom()).toFixed(2);
    };
    map.on("move", looked);
    map.on("load", looked);
    map.on("click", (event) => {
      if (this.asking) this.answer([event.lngLat.lng, event.lngLat.lat]);
      else this.pickAt(event.point);
    });
    map.on("mousemove", (event) => this.hovered(this.under(event.point), event.point.x, event.point.y));
    map.on("mouseout", () => this.hovered(null));
    map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.asking) this.answer(this.centre());
    });
  }

  pickAt(place) {
    const found = this.under(place);
    if (found?.cluster) this.map.easeTo({ center: found.at, zoom: this.map.getZoom() + 2, animate: !still.matches });
    else if (found) this.picked(found, place.x, place.y);
  }

  // what lies under a pixel: a case's pin, else an alert, else a sensor, else the grid
  under({ x, y }) {
    if (!this.map.isStyleLoaded()) return null;
    const box = [[x - 5, y - 5], [x + 5, y + 5]];
    const found = this.map.queryRenderedFeatures(box, { layers: ["clusters", "cases", "alerts", "vehicles", "sensors"] });
    for (const layer of ["clusters", "cases", "alerts", "vehicles", "sensors"]) {
      const feature = found.find((one) => one.layer.id === layer);
      if (!feature) continue;
      if (layer === "clusters") return { cluster: true, at: feature.geometry.coordinates };
      if (layer === "cases") return { case: feature.properties.case };
      return layer === "alerts" ? { alert: feature.properties.episode } : { sensor: feature.properties.id };
    }
    const [grid] = this.map.queryRenderedFeatures([x, y], { layers: ["grid-fill"] });
    return grid ? { grid: grid.properties } : null;
  }
}

