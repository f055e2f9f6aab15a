// A list of any length of which only the rows in sight are elements. All rows have one height.

import { el } from "../dom.js";

const BEYOND = 6;

export class Rows {
  // `key(item)` names a row, `stamp(item)` says whether it must be drawn anew, `draw(item)` makes its button
  constructor(list, { height, key, stamp, draw, empty }) {
    Object.assign(this, { list, height, key, stamp, draw, empty });
    this.items = [];
    this.made = new Map();
    this.run = el("li", { class: "run", "aria-hidden": "true" });
    this.drawn = 0;
    list.addEventListener("scroll", () => this.paint(), { passive: true });
    new ResizeObserver(() => this.paint()).observe(list);
  }

  set(items) {
    this.items = items;
    this.places = new Map(items.map((item, i) => [this.key(item), i]));
    this.paint();
  }

  forget() {
    this.made.clear();
    this.list.replaceChildren();
    this.paint();
  }

  paint() {
    const { list, height, items } = this;
    if (!items.length) {
      this.made.clear();
      list.replaceChildren(el("li", { class: "empty" }, this.empty()));
      return;
    }
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const first = Math.max(0, Math.floor(list.scrollTop / height) - BEYOND);
    const last = Math.min(items.length, Math.ceil((list.scrollTop + (list.clientHeight || 600)) / height) + BEYOND);
    const wanted = new Set();
    for (let i = first; i < last; i += 1) wanted.add(this.key(items[i]));
    // the row that has the keyboard stays, wherever it went
    if (focused !== null && this.places.has(focused)) wanted.add(focused);
    for (const [key, row] of this.made) {
      if (wanted.has(key)) continue;
      row.element.remove();
      this.made.delete(key);
    }
    for (const child of [...list.children]) if (child !== this.run && !child.dataset.row) child.remove();
    if (this.run.parentElement !== list) list.append(this.run);
    this.run.style.height = `${items.length * height}px`;
    for (const key of wanted) this.place(key);
    list.dataset.drawn = this.drawn;
    list.dataset.total = items.length;
    if (focused !== null && document.activeElement === document.body) this.focus(focused);
  }

  place(key) {
    const at = this.places.get(key);
    const item = this.items[at];
    const stamp = this.stamp(item);
    let row = this.made.get(key);
    if (!row) {
      row = { element: el("li", { class: "row", "data-row": key }) };
      this.made.set(key, row);
      this.list.append(row.element);
    }
    if (row.stamp !== stamp) {
      const had = row.element.contains(document.activeElement);
      const button = this.draw(item);
      button.dataset.key = key;
      row.element.replaceChildren(button);
      row.stamp = stamp;
      this.drawn += 1;
      if (had) button.focus({ preventScroll: true });
    }
    if (row.at !== at || row.of !== this.items.length) {
      row.element.style.transform = `translateY(${at * this.height}px)`;
      row.element.setAttribute("aria-posinset", at + 1);
      row.element.setAttribute("aria-setsize", this.items.length);
      row.at = at;
      row.of = this.items.length;
    }
  }

  // go so many rows on from the one that has the keyboard (or is chosen), and give it the keyboard
  step(by, chosen = null) {
    if (!this.items.length) return;
    const here = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : chosen;
    const at = this.places.get(here);
    const to = at === undefined ? 0 : Math.min(this.items.length - 1, Math.max(0, at + by));
    this.focus(this.key(this.items[to]));
  }

  focus(key) {
    const at = this.places.get(key);
    if (at === undefined) return;
    const { list, height } = this;
    if (at * height < list.scrollTop) list.scrollTop = at * height;
    else if ((at + 1) * height > list.scrollTop + list.clientHeight) list.scrollTop = (at + 1) * height - list.clientHeight + 8;
    this.place(key);
    this.made.get(key)?.element.querySelector("button")?.focus({ preventScroll: true });
    this.paint();
  }
}
