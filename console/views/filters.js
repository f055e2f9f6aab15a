// Which cases the list shows: filters, a search, and views that are kept under a name in this browser.

import { el } from "../dom.js";
import { levelWord, roleWord, say, stateWord, titled } from "../words/words.js";

const STAGES = ["reported", "accepted", "filed", "dispatched", "handling", "handled", "verified", "returned", "suspended"];
const LEVELS = ["red", "orange", "yellow", "blue"];
const FLAGS = ["overdue", "supervised", "drill", "sensor_silent", "recovered"];
// whose turn a case is, by its state
const TURN = { operator: ["reported", "accepted"], dispatcher: ["filed", "returned"], handler: ["dispatched", "handling"], inspector: ["handled"], supervisor: ["verified", "suspended"] };

export const NOTHING = Object.freeze({ stage: "", levels: [], category: "", department: "", flag: "", mine: false, search: "" });
const BUILT_IN = { everything: {}, mine: { mine: true }, red_only: { levels: ["red"] }, late_only: { flag: "overdue" }, drills_only: { flag: "drill" } };

const saved = () => JSON.parse(localStorage.getItem("views") ?? "{}");

export class Filters {
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.now = { ...NOTHING };
    this.area = "";
    this.turns = new Set();
    this.found = { categories: new Map(), departments: new Map() };
  }

  posts(posts) {
    this.turns = new Set(posts.flatMap((post) => TURN[post.role] ?? []));
  }

  passes(one) {
    const { stage, levels, category, department, flag, mine, search } = this.now;
    if (stage === "closed" ? one.open : stage ? one.state !== stage : !one.open) return false;
    if (levels.length && !levels.includes(one.level ?? one.peak)) return false;
    if (category && one.category !== category) return false;
    if (department && one.department !== department && !one.work_orders.some((order) => order.department === department)) return false;
    if (flag && !one.flags.includes(flag)) return false;
    if (mine && !this.turns.has(one.state)) return false;
    if (this.area && !one.grid?.startsWith(this.area)) return false;
    const wanted = search.trim().toLowerCase();
    return !wanted || [one.id, one.title, titled(one.title), one.sensor, one.grid_name, one.grid, one.text].some((text) => text?.toLowerCase().includes(wanted));
  }

  // what the engine is asked for beyond the cases that the page keeps; null when it keeps them all
  beyond() {
    const { stage, category, department, search } = this.now;
    if (stage !== "closed" && search.trim().length < 2) return null;
    return { q: search.trim(), category, department, grid: this.area, ...(stage === "closed" ? { open: false } : {}) };
  }

  set(values) {
    this.now = { ...this.now, ...values };
    this.draw();
    this.changed();
  }

  learn(cases) {
    const before = this.found.categories.size + this.found.departments.size;
    for (const one of cases) {
      this.found.categories.set(one.category, one.category_title);
      if (one.department) this.found.departments.set(one.department, one.department_title);
    }
    if (this.found.categories.size + this.found.departments.size !== before && !this.root.contains(document.activeElement)) this.draw();
  }

  draw() {
    const { now } = this;
    const open = this.root.querySelector("details")?.open ?? false;
    const focus = this.root.contains(document.activeElement) ? document.activeElement.id : null;
    const select = (id, name, first, options) => {
      const made = el("select", { id, "aria-label": say(name), onchange: (event) => this.set({ [id.slice(3)]: event.target.value }) },
        el("option", { value: "" }, say(first)), options.map(([value, word]) => el("option", { value }, word)));
      made.value = now[id.slice(3)];
      return made;
    };
    const level = (name) => el("button", {
      type: "button", class: `chip c-${name}`, "aria-pressed": String(now.levels.includes(name)),
      onclick: () => this.set({ levels: now.levels.includes(name) ? now.levels.filter((one) => one !== name) : [...now.levels, name] }),
    }, levelWord(name));
    const byTitle = (map) => [...map].map(([code, title]) => [code, titled(title) ?? code]).sort((a, b) => a[1].localeCompare(b[1], "zh"));
    const search = el("input", { type: "search", id: "search", placeholder: say("search"), "aria-label": say("find_cases"), oninput: (event) => this.type(event.target.value) });
    search.value = now.search;
    const stage = select("by-stage", "by_state", "all_states", [...STAGES.map((state) => [state, stateWord(state)]), ["closed", say("closed_states")]]);
    stage.id = "stage";
    this.root.replaceChildren(
      el("div", { class: "pair" }, search, stage),
      el("div", { class: "pair" }, this.views(), el("div", { class: "chips" }, LEVELS.map(level))),
      el("details", { id: "more-filters", open: open || null }, el("summary", {}, say("filters"), this.count()),
        el("div", { class: "pair even" }, select("by-category", "category", "all_categories", byTitle(this.found.categories)), select("by-department", "department", "all_departments", byTitle(this.found.departments))),
        el("div", { class: "pair even" }, select("by-flag", "any_flag", "any_flag", FLAGS.map((flag) => [flag, say(flag)])),
          el("label", { class: "check" }, this.box(), say("mine"))),
        this.keeping()));
    if (focus) document.getElementById(focus)?.focus();
  }

  // typing must not draw the field anew
  type(search) {
    this.now = { ...this.now, search };
    this.changed();
  }

  count() {
    const { stage, search, levels, ...rest } = this.now;
    const set = Object.values(rest).filter(Boolean).length;
    return set ? el("b", {}, String(set)) : null;
  }

  box() {
    const box = el("input", { type: "checkbox", id: "by-mine", onchange: (event) => this.set({ mine: event.target.checked }) });
    box.checked = this.now.mine;
    return box;
  }

  // ---- views

  views() {
    const own = saved();
    const same = (values) => JSON.stringify({ ...NOTHING, ...values }) === JSON.stringify(this.now);
    const all = [...Object.entries(BUILT_IN).map(([name, values]) => [`:${name}`, say(name), values]), ...Object.entries(own).map(([name, values]) => [name, name, values])];
    const chosen = all.find(([, , values]) => same(values));
    const pick = el("select", { id: "view", "aria-label": say("views"), onchange: (event) => this.set({ ...NOTHING, ...all.find(([name]) => name === event.target.value)?.[2] }) },
      all.map(([name, word]) => el("option", { value: name }, word)), chosen ? null : el("option", { value: "?" }, say("own_view")));
    pick.value = chosen?.[0] ?? "?";
    return pick;
  }

  keeping() {
    const own = saved();
    const name = Object.keys(own).find((one) => JSON.stringify({ ...NOTHING, ...own[one] }) === JSON.stringify(this.now));
    const keep = (views) => {
      localStorage.setItem("views", JSON.stringify(views));
      this.draw();
    };
    const field = el("input", { id: "view-name", maxlength: 30, placeholder: say("view_name"), "aria-label": say("view_name") });
    const save = () => field.value.trim() && keep({ ...own, [field.value.trim()]: this.now });
    field.addEventListener("keydown", (event) => event.key === "Enter" && save());
    return el("div", { class: "pair keep" }, field, el("button", { type: "button", class: "plain", id: "view-save", onclick: save }, say("save_view")),
      name && el("button", { type: "button", class: "plain", id: "view-delete", onclick: () => keep(Object.fromEntries(Object.entries(own).filter(([one]) => one !== name))) }, say("delete_view")),
      el("button", { type: "button", class: "plain", onclick: () => this.set({ ...NOTHING }) }, say("clear_filters")));
  }
}

export const postWord = (post) => `${roleWord(post.role)} · ${post.name}${post.area ? ` · ${post.area}` : ""}`;
