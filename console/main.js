// The operations page: loads what there is, then follows the stream.

import * as api from "./api.js";
import { $, el } from "./dom.js";
import { drawAlerts, drawCases, drawCounts, drawStages, LEVELS } from "./lists.js";
import { CityMap, COLOURS } from "./map.js";
import { Story } from "./story.js";
import { amount, isEnglish, kindWord, levelWord, measured, roleWord, say, setEnglish, stateWord, time } from "./words.js";

const state = { cases: new Map(), alerts: [], rules: new Map(), fresh: new Set(), stage: "", search: "", caller: null, status: null, link: "connecting" };
let map;
let story;

const soon = (() => {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
})();

function draw() {
  const cases = [...state.cases.values()];
  drawCases(cases, { stage: state.stage, search: state.search, current: story.id, fresh: state.fresh, open: openCase });
  drawAlerts(state.alerts, { rules: state.rules, open: openAlert });
  drawCounts(cases, state.alerts);
  map.setCases(cases);
  map.setAlerts(state.alerts);
  map.select(story.id);
}

// ---- what the person does

function openCase(id) {
  const one = state.cases.get(id);
  state.fresh.delete(id);
  view("cases");
  story.open(id).then(soon);
  if (one) map.show(one.lon, one.lat);
  history.replaceState(null, "", `#${id}`);
  soon();
}

function openAlert(alert) {
  map.show(alert.lon, alert.lat);
  if (alert.case) openCase(alert.case);
  else view("map");
}

function view(name) {
  document.querySelector("main").dataset.view = name === "map" ? "map" : "side";
  if (name !== "map") {
    for (const tab of ["cases", "alerts"]) {
      $(tab).hidden = tab !== name;
      $(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    }
    $("filters").hidden = name !== "cases";
  }
  for (const button of $("tabs").children) button.setAttribute("aria-pressed", String(button.dataset.view === name));
}

function tip(found, px, py) {
  const box = $("tip");
  box.hidden = !found;
  if (!found) return;
  const { case: one, alert, sensor } = found;
  if (one) box.replaceChildren(el("b", {}, one.title), el("span", {}, `${stateWord(one.state)} · ${one.grid_name ?? one.grid ?? ""}`), el("span", {}, one.id));
  else if (alert) box.replaceChildren(el("b", {}, alert.title), el("span", {}, `${levelWord(alert.level)} · ${kindWord(alert.kind)} ${measured(state.rules.get(alert.rule), alert.kind, alert.value)}`), el("span", {}, `${alert.sensor} · ${say("since", { time: time(alert.raised_t) })}`));
  else box.replaceChildren(el("b", {}, `${kindWord(sensor.kind)} ${amount(sensor.kind, sensor.v)}`), el("span", {}, sensor.site ?? sensor.sensor), el("span", {}, `${sensor.sensor}${sensor.t ? ` · ${time(sensor.t)}` : ""}`));
  box.style.left = `${Math.min(px + 14, $("map").clientWidth - 250)}px`;
  box.style.top = `${Math.min(py + 14, $("map").clientHeight - 80)}px`;
}

// ---- what the engine says

function keepCase(one) {
  const before = state.cases.get(one.id);
  if (before && before.seq > one.seq) return;
  state.cases.set(one.id, one);
}

function told(kind, message) {
  if (kind === "open") {
    state.link = "live";
    loadCases();
  } else if (kind === "reset") loadCases();
  else if (kind === "lost") {
    state.link = message?.status === 401 ? "out" : "lost";
    if (message?.status === 401) signIn();
  } else if (kind === "case") {
    const { event, case: one } = message;
    const isNew = !state.cases.has(one.id);
    keepCase(one);
    if (isNew) {
      state.fresh.add(one.id);
      setTimeout(() => state.fresh.delete(one.id), 3000);
      announce(say("new_case", { title: one.title, place: one.grid_name ?? one.grid ?? "", level: levelWord(one.level) }));
    } else if (event.person) announce(say("moved_case", { title: one.title, move: event.title }));
    if (story.id === one.id) story.load();
    soon();
  }
  drawLink();
}

let announced = [];
function announce(text) {
  if (announced.length === 0) {
    setTimeout(() => {
      $("announce").textContent = announced.slice(-3).join("；");
      announced = [];
    }, 400);
  }
  announced.push(text);
}

async function loadCases() {
  const [open, closed] = await Promise.all([api.cases({ open: true, limit: 1000 }), api.cases({ open: false, limit: 200 })]);
  state.cases.clear();
  for (const one of [...closed.cases, ...open.cases]) state.cases.set(one.id, one);
  if (story.id) story.load();
  soon();
}

async function loadAlerts() {
  const page = await api.alerts({ limit: 1000 });
  const present = (alerts) => alerts.filter((alert) => story.id && alert.case === story.id).map((alert) => `${alert.value} ${alert.heard_t}`).join();
  if (present(page.alerts) !== present(state.alerts)) story.load();
  state.alerts = page.alerts;
  soon();
}

async function loadStatus() {
  state.status = await api.status();
  drawStatus();
}

function drawLink() {
  $("link").className = `link ${state.link}`;
  $("link-text").textContent = say({ live: "live", lost: "lost", connecting: "connecting", out: "sign_in" }[state.link]);
}

function drawStatus() {
  const { status } = state;
  if (!status) return;
  $("clock").textContent = time(status.clock_ms ?? status.now_ms);
  $("city").textContent = status.city;
  const said = [];
  if (status.faults.length) said.push(...status.faults);
  if (status.gaps.length) said.push(...status.gaps);
  if (!status.ready && !status.behind_s) said.push(say("not_ready", { why: status.reasons.join("；") || "…" }));
  if (status.behind_s >= 5) said.push(say("behind", { seconds: Math.round(status.behind_s), waiting: status.waiting }));
  if (status.overloaded) said.push(say("overloaded"));
  const text = said.join("　");
  const banner = $("banner");
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = said.length === 0;
  banner.className = `banner ${status.faults.length || status.overloaded ? "bad" : ""}`;
}

// ask again and again, never twice at once; a failure waits for the next turn
function every(ms, ask) {
  let busy = false;
  const turn = async () => {
    if (busy || document.hidden) return;
    busy = true;
    try {
      await ask();
    } catch (problem) {
      if (problem.status === 401) signIn();
    } finally {
      busy = false;
    }
  };
  setInterval(turn, ms);
}

// ---- signing in, language, reports

function signIn(fault = "") {
  const dialog = $("sign-in");
  $("sign-in-fault").textContent = fault;
  if (!dialog.open) dialog.showModal();
}

$("sign-in").addEventListener("close", async () => {
  api.useToken($("token").value.trim() || null);
  $("token").value = "";
  try {
    await api.me();
    location.reload();
  } catch {
    api.useToken(null);
    signIn(say("bad_token"));
  }
});

function speak() {
  document.documentElement.lang = isEnglish() ? "en" : "zh-CN";
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
  $("language").textContent = isEnglish() ? "中文" : "EN";
  $("language").lang = isEnglish() ? "zh-CN" : "en";
  $("language").setAttribute("aria-label", isEnglish() ? "切换为中文" : "Switch to English");
  $("legend").replaceChildren(
    ...LEVELS.map((level) => el("li", {}, el("i", { class: `square c-${level}` }), levelWord(level))),
    ...["water.level", "gas.methane", "rain.minute", "fire.smoke", "waste.fill"].map((kind) => el("li", {}, el("i", { class: `k-${kind.split(".")[0]}` }), kindWord(kind))));
  if (state.caller) $("me").textContent = `${roleWord(state.caller.role)} · ${state.caller.name}${state.caller.area ? ` · ${state.caller.area}` : ""}`;
  drawStages(state.stage);
  drawLink();
  drawStatus();
}

let reportedAt = null;

async function openReport() {
  view("map");
  $("ask").hidden = false;
  reportedAt = await map.ask();
  $("ask").hidden = true;
  if (!reportedAt) return;
  const [lon, lat] = reportedAt;
  $("report-place").textContent = say("place_is", { lon: lon.toFixed(5), lat: lat.toFixed(5) });
  if (!$("report-category").children.length) {
    const { categories } = await api.categories();
    $("report-category").replaceChildren(...categories.map(({ code, title }) => el("option", { value: code }, `${title}（${code}）`)));
  }
  $("report-fault").textContent = "";
  $("report-dialog").showModal();
}

async function sendReport(event) {
  event.preventDefault();
  const [lon, lat] = reportedAt;
  const body = { category: $("report-category").value, text: $("report-text").value.trim(), lon: Number(lon.toFixed(7)), lat: Number(lat.toFixed(7)) };
  if ($("report-name").value.trim()) body.contact_name = $("report-name").value.trim();
  if ($("report-phone").value.trim()) body.contact_phone = $("report-phone").value.trim();
  try {
    const { case: one } = await api.report(api.newKey(), body);
    for (const id of ["report-text", "report-name", "report-phone"]) $(id).value = "";
    $("report-dialog").close();
    keepCase(one);
    openCase(one.id);
    announce(say("reported_ok", { id: one.id }));
  } catch (problem) {
    $("report-fault").textContent = problem.message;
  }
}

function listen() {
  $("zoom-in").addEventListener("click", () => map.zoom(1.5));
  $("zoom-out").addEventListener("click", () => map.zoom(1 / 1.5));
  $("fit").addEventListener("click", () => map.fit());
  $("tab-cases").addEventListener("click", () => view("cases"));
  $("tab-alerts").addEventListener("click", () => view("alerts"));
  $("tabs").addEventListener("click", (event) => event.target.dataset.view && view(event.target.dataset.view));
  $("search").addEventListener("input", (event) => {
    state.search = event.target.value;
    soon();
  });
  $("stage").addEventListener("change", (event) => {
    state.stage = event.target.value;
    soon();
  });
  $("language").addEventListener("click", () => {
    setEnglish(!isEnglish());
    speak();
    story.draw();
    soon();
  });
  $("report").addEventListener("click", openReport);
  $("report-cancel").addEventListener("click", () => $("report-dialog").close());
  $("report-dialog").querySelector("form").addEventListener("submit", sendReport);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && map.asking) map.answer(null);
    else if (event.key === "Escape" && story.id && !document.querySelector("dialog[open]")) story.close();
  });
}

async function start() {
  map = new CityMap($("map"), {
    picked: (found) => (found?.case ? openCase(found.case.id) : found?.alert && openAlert(found.alert)),
    hovered: tip,
  });
  story = new Story({
    rules: state.rules,
    closed: () => {
      history.replaceState(null, "", location.pathname);
      soon();
    },
    changed: soon,
    show: (one) => {
      map.show(one.lon, one.lat);
      if (matchMedia("(max-width: 820px)").matches) view("map");
    },
  });
  speak();
  listen();
  try {
    state.caller = await api.me();
  } catch {
    signIn();
    return;
  }
  $("report").hidden = state.caller.role !== "operator";
  speak();
  await loadStatus();
  map.locate(state.status.bounds);
  for (const rule of (await api.rules()).rules) state.rules.set(rule.id, rule);
  new api.Stream(told);
  const named = location.hash.slice(1);
  if (/^WO-/.test(named)) story.open(named).then(soon);
  await loadAlerts();
  const areas = async (...levels) => {
    for (const level of levels) map.addAreas(level, (await api.grids(level)).features);
  };
  await areas("county", "street");
  const sensors = await api.sensors();
  map.setSensors(sensors);
  if (!story.id) map.beginAt(sensors);
  every(1000, loadStatus);
  every(2000, loadAlerts);
  every(3000, async () => {
    for (const kind of ["rain.minute", "water.level"]) map.setSensors(await api.sensors(kind));
  });
  every(5000, async () => {
    if (story.id && state.cases.get(story.id)?.open) await story.load();
  });
  every(30000, async () => map.setSensors(await api.sensors()));
  await areas("community", "grid");
}

document.documentElement.style.setProperty("--red", COLOURS.red);
start();
