// Where the map looks: metres around the city's centre on one side, pixels on the other.

const METRES_PER_DEGREE = 111_320;

export class View {
  constructor() {
    this.width = 1;
    this.height = 1;
    this.scale = 0.05; // pixels per metre
    this.x = 0; // metres in the middle of the picture, east and south
    this.y = 0;
    this.origin(0, 0);
  }

  origin(lon, lat) {
    this.lon = lon;
    this.lat = lat;
    this.east = METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180);
  }

  metres(lon, lat) {
    return [(lon - this.lon) * this.east, (this.lat - lat) * METRES_PER_DEGREE];
  }

  place(px, py) {
    const x = (px - this.width / 2) / this.scale + this.x;
    const y = (py - this.height / 2) / this.scale + this.y;
    return [this.lon + x / this.east, this.lat - y / METRES_PER_DEGREE];
  }

  pixels(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2];
  }

  fit([west, south, east, north]) {
    const [left, top] = this.metres(west, north);
    const [right, bottom] = this.metres(east, south);
    this.whole = Math.min(this.width / (right - left), this.height / (bottom - top)) * 0.94;
    this.scale = this.whole;
    this.x = (left + right) / 2;
    this.y = (top + bottom) / 2;
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const scale = Math.min(2, Math.max((this.whole ?? 0.01) * 0.6, this.scale * factor));
    this.x += (px - this.width / 2) * (1 / this.scale - 1 / scale);
    this.y += (py - this.height / 2) * (1 / this.scale - 1 / scale);
    this.scale = scale;
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
  }
}
