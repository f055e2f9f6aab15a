// The still part of the map: grids, communities, streets and their names, drawn once for a view and moved as a picture
// until the hand rests.

const STROKES = [
  ["grid", "#31496b", 0.6, 0],
  ["community", "#48658f", 0.9, 0],
  ["street", "#7d9ac4", 1.5, 0],
  ["county", "#b9d2f2", 2, 0],
];

function rings(geometry) {
  if (geometry.type === "Polygon") return geometry.coordinates;
  return geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : [];
}

export class Areas {
  constructor(view) {
    this.view = view;
    this.paths = {};
    this.names = { street: [], community: [] };
    this.byCode = new Map();
    this.picture = document.createElement("canvas");
    this.drawn = null;
  }

  add(level, features) {
    const all = new Path2D();
    const names = [];
    for (const feature of features) {
      const path = new Path2D();
      let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
      for (const ring of rings(feature.geometry)) {
        ring.forEach(([lon, lat], i) => {
          const [x, y] = this.view.metres(lon, lat);
          if (i === 0) path.moveTo(x, y);
          else path.lineTo(x, y);
          left = Math.min(left, x);
          right = Math.max(right, x);
          top = Math.min(top, y);
          bottom = Math.max(bottom, y);
        });
        path.closePath();
      }
      all.addPath(path);
      const { code, name, centre } = feature.properties;
      const [x, y] = centre ? this.view.metres(...centre) : [(left + right) / 2, (top + bottom) / 2];
      if (level === "grid") this.byCode.set(code, { path, properties: feature.properties, box: [left, top, right, bottom] });
      else names.push({ x, y, name: name ?? code, size: right - left });
    }
    this.paths[level] = all;
    this.names[level] = names.sort((a, b) => b.size - a.size);
    this.drawn = null;
  }

  draw(context, ratio) {
    const { view } = this;
    const now = { x: view.x, y: view.y, scale: view.scale, width: view.width, height: view.height, ratio };
    const same = this.drawn && Object.keys(now).every((key) => now[key] === this.drawn[key]);
    const moving = this.drawn && performance.now() - this.movedAt < 140 && now.width === this.drawn.width;
    if (!same && !moving) {
      this.render(now);
      this.drawn = now;
    }
    const factor = view.scale / this.drawn.scale;
    const dx = (this.drawn.x - view.x) * view.scale;
    const dy = (this.drawn.y - view.y) * view.scale;
    const [w, h] = [view.width * factor, view.height * factor];
    context.drawImage(this.picture, (view.width - w) / 2 + dx, (view.height - h) / 2 + dy, w, h);
  }

  render({ x, y, scale, width, height, ratio }) {
    this.picture.width = Math.round(width * ratio);
    this.picture.height = Math.round(height * ratio);
    const context = this.picture.getContext("2d");
    context.setTransform(scale * ratio, 0, 0, scale * ratio, (width / 2 - x * scale) * ratio, (height / 2 - y * scale) * ratio);
    context.lineJoin = "round";
    if (this.paths.county) {
      context.fillStyle = "#12213799";
      context.fill(this.paths.county);
    }
    for (const [level, colour, line] of STROKES) {
      if (!this.paths[level]) continue;
      const faint = level === "grid" ? Math.min(1, Math.max(0.16, (scale - 0.012) * 9)) : 1;
      context.globalAlpha = faint;
      context.strokeStyle = colour;
      context.lineWidth = line / scale;
      context.stroke(this.paths[level]);
    }
    context.globalAlpha = 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.write(context, scale);
  }

  write(context, scale) {
    const taken = [];
    const fonts = [["street", 'bold 15px "Noto Sans SC","Noto Sans CJK SC",sans-serif', "#e3ecf8", 42], ["community", '12px "Noto Sans SC","Noto Sans CJK SC",sans-serif', "#9db2d0", 58]];
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const [level, font, colour, least] of fonts) {
      context.font = font;
      for (const { x, y, name, size } of this.names[level] ?? []) {
        if (size * scale < least) continue;
        const [px, py] = this.view.pixels(x, y);
        const half = context.measureText(name).width / 2 + 5;
        const box = [px - half, py - 10, px + half, py + 10];
        if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
        taken.push(box);
        context.strokeStyle = "#070c16d9";
        context.lineWidth = 3.5;
        context.strokeText(name, px, py);
        context.fillStyle = colour;
        context.fillText(name, px, py);
      }
    }
  }
}
