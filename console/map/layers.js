// What is drawn on the map, from the ground up, in both themes. The style names no font file: every glyph comes from
// this machine's fonts, so that nothing is fetched from elsewhere.

export const LEVELS = ["red", "orange", "yellow", "blue"];
export const FILL = { blue: "#58a8ff", yellow: "#ffd43b", orange: "#ff9a3d", red: "#ff5f6d" };
export const FAMILY = { water: "#35c3ff", drain: "#2fb9a8", gas: "#c79bff", rain: "#6d8dff", fire: "#ffb38a", waste: "#a5d46a", video: "#f2a6d8", vehicle: "#e8eff9", other: "#93a7c4" };
const DEEP = { water: "#0b6fa8", drain: "#0f766e", gas: "#7c3fc0", rain: "#3551c4", fire: "#b4531a", waste: "#4d7c0f", video: "#a8327f", vehicle: "#22314a", other: "#5b6b83" };
export const FONT = '"Noto Sans SC","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif';

const SHADES = {
  night: { ground: "#070c16", city: "#122137", grid: "#31496b", community: "#48658f", street: "#7d9ac4", county: "#b9d2f2", big: "#e3ecf8", small: "#9db2d0", halo: "#070c16", zone: "#63d5ea", quiet: "#5d6f8c", edge: "#070c16", kinds: FAMILY },
  light: { ground: "#dfe7f1", city: "#f7fafd", grid: "#c3d0e0", community: "#92a7c2", street: "#526d92", county: "#22314a", big: "#16233a", small: "#3f5575", halo: "#ffffff", zone: "#0b7285", quiet: "#8494aa", edge: "#ffffff", kinds: DEEP },
};

const byLevel = (property) => ["match", property, ...LEVELS.flatMap((level) => [level, FILL[level]]), "rgba(0,0,0,0)"];
const byFamily = (kinds) => ["match", ["get", "family"], ...Object.entries(kinds).flatMap(([name, colour]) => (name === "other" ? [] : [name, colour])), kinds.other];

const line = (id, source, minzoom, colour, width) => ({ id, type: "line", source, minzoom, paint: { "line-color": colour, "line-width": width } });
const label = (id, source, minzoom, size, shade, weight) => ({
  id, type: "symbol", source, minzoom,
  layout: { "text-field": ["get", "name"], "text-font": [weight], "text-size": size, "text-padding": 4 },
  paint: { "text-color": shade.text, "text-halo-color": shade.halo, "text-halo-width": 1.4 },
});

export function layers(theme) {
  const shade = SHADES[theme];
  return [
    { id: "ground", type: "background", paint: { "background-color": shade.ground } },
    { id: "city", type: "fill", source: "county", paint: { "fill-color": shade.city } },
    { id: "rain", type: "circle", source: "sensors", filter: ["all", ["==", ["get", "kind"], "rain.minute"], [">", ["coalesce", ["get", "v"], 0], 0.02]],
      paint: { "circle-color": "#3f6fe8", "circle-blur": 1, "circle-opacity": ["min", 0.55, ["+", 0.12, ["*", 0.2, ["get", "v"]]]], "circle-radius": ["interpolate", ["exponential", 2], ["zoom"], 8, 16, 14, 420] } },
    { id: "grid-fill", type: "fill", source: "grid", minzoom: 9, paint: { "fill-color": byLevel(["coalesce", ["feature-state", "level"], ""]), "fill-opacity": ["case", ["!=", ["feature-state", "level"], null], 0.34, 0] } },
    line("grid-line", "grid", 12, shade.grid, 0.6),
    line("community-line", "community", 10.5, shade.community, 0.9),
    line("street-line", "street", 0, shade.street, 1.4),
    line("county-line", "county", 0, shade.county, 2),
    { id: "zones-fill", type: "fill", source: "zones", minzoom: 11, paint: { "fill-color": shade.zone, "fill-opacity": 0.07 } },
    { id: "zones-line", type: "line", source: "zones", minzoom: 11, paint: { "line-color": shade.zone, "line-opacity": 0.6, "line-width": 1, "line-dasharray": [3, 2] } },
    { id: "chosen-line", type: "line", source: "chosen", paint: { "line-color": shade.zone, "line-width": 3 } },
    { id: "sensors", type: "circle", source: "sensors", filter: ["!=", ["get", "family"], "vehicle"],
      paint: {
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 1.3, 12, 2.4, 15, 5],
        "circle-color": ["case", ["==", ["get", "state"], "silent"], "rgba(0,0,0,0)", ["==", ["get", "state"], "unheard"], shade.quiet, byFamily(shade.kinds)],
        "circle-opacity": ["case", ["==", ["get", "state"], "unheard"], 0.5, 0.85],
        "circle-stroke-width": ["case", ["==", ["get", "state"], "silent"], 1.6, 0], "circle-stroke-color": shade.quiet,
      } },
    { id: "vehicles", type: "circle", source: "sensors", filter: ["==", ["get", "family"], "vehicle"],
      paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 1.4, 12, 3, 15, 7], "circle-color": shade.kinds.vehicle, "circle-stroke-color": shade.zone, "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 9, 0.6, 13, 1.6] } },
    { id: "alert-halo", type: "circle", source: "alerts", paint: { "circle-color": byLevel(["get", "level"]), "circle-opacity": 0.3, "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, ["+", 3, ["get", "rank"]], 14, ["+", 8, ["*", 3, ["get", "rank"]]]] } },
    { id: "alerts", type: "circle", source: "alerts", layout: { "circle-sort-key": ["get", "rank"] },
      paint: { "circle-color": byLevel(["get", "level"]), "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 2.6, 14, 5.5], "circle-stroke-color": shade.edge, "circle-stroke-width": 1.2 } },
    label("community-name", "community-names", 11.6, 12, { text: shade.small, halo: shade.halo }, "Noto Sans CJK SC Regular"),
    label("street-name", "street-names", 0, 15, { text: shade.big, halo: shade.halo }, "Noto Sans CJK SC Bold"),
    { id: "clusters", type: "symbol", source: "cases", filter: ["has", "point_count"],
      layout: { "icon-image": ["concat", "many-", ["to-string", ["get", "rank"]]], "icon-allow-overlap": true, "text-field": ["to-string", ["get", "point_count"]], "text-size": 12, "text-font": ["Noto Sans CJK SC Bold"], "text-allow-overlap": true, "symbol-sort-key": ["get", "rank"] },
      paint: { "text-color": "#0a0f18" } },
    { id: "cases", type: "symbol", source: "cases", filter: ["!", ["has", "point_count"]],
      layout: { "icon-image": ["concat", "pin-", ["to-string", ["get", "rank"]]], "icon-anchor": "bottom", "icon-allow-overlap": true, "icon-size": ["case", ["get", "chosen"], 1.35, 1], "symbol-sort-key": ["get", "rank"] } },
  ];
}

const empty = () => ({ type: "FeatureCollection", features: [] });
const points = (more = {}) => ({ type: "geojson", data: empty(), ...more });

export function style(theme) {
  return {
    version: 8,
    sources: {
      county: points(), street: points(), community: points(), grid: points({ promoteId: "code", tolerance: 0.5 }), zones: points(), chosen: points(),
      "street-names": points(), "community-names": points(), sensors: points({ promoteId: "id" }), alerts: points(),
      cases: points({ cluster: true, clusterRadius: 28, clusterMaxZoom: 12, clusterProperties: { rank: ["max", ["get", "rank"]] } }),
    },
    layers: layers(theme),
  };
}

// the pins: one for each level (0: none open), and round ones for many cases in one place
export function pictures() {
  const ratio = 2;
  const paint = (width, height, draw) => {
    const canvas = document.createElement("canvas");
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    draw(context);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };
  const colours = ["#8aa0c2", FILL.blue, FILL.yellow, FILL.orange, FILL.red];
  const dress = (context, colour) => {
    context.fillStyle = colour;
    context.strokeStyle = "#0a0f18";
    context.lineWidth = 1.4;
    context.fill();
    context.stroke();
  };
  return colours.flatMap((colour, rank) => [
    [`pin-${rank}`, paint(22, 30, (context) => {
      context.translate(11, 11);
      context.beginPath();
      context.moveTo(0, 17.5);
      context.arc(0, 0, 9.5, Math.PI * 0.8, Math.PI * 2.2);
      context.closePath();
      dress(context, colour);
      context.fillStyle = "#0a0f18";
      context.font = `bold 11px ${FONT}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText("案", 0, 0.5);
    })],
    [`many-${rank}`, paint(30, 30, (context) => {
      context.beginPath();
      context.arc(15, 15, 13, 0, 7);
      dress(context, colour);
    })],
  ]).map(([name, image]) => [name, image, { pixelRatio: ratio }]);
}
