// The console: loads what there is, then follows; what a person does here goes through the views.

import * as api from "./talk/api.js";
import { $, el } from "./dom.js";
import { City } from "./talk/city.js";
import { atMost, every, soon } from "./talk/turns.js";
import { CityMap } from "./map/city_map.js";
import { legend, tipOf } from "./views/around_map.js";
import { DutyRoom } from "./views/duty.js";
import { Filters, postWord } from "./views/filters.js";
import * as keys from "./views/keys.js";
import { AlertList, CaseList, drawCounts } from "./views/lists.js";
import { Overview } from "./views/overview.js";
import { Path } from "./views/path.js";
import { PlayerBar } from "./views/player.js";
import { ReportForm } from "./views/report.js";
import * as sound from "./views/sound.js";
import { Story } from "./views/story.js";
import { bell, drawBanner, languageButton, theme, themeButton } from "./views/tools.js";
import { isEnglish, levelWord, moveWord, say, speak, time, titled } from "./words/words.js";

const FRESH_MS = 3000;
const PLAYED_MS = 600_000; // a city whose time is so far off plays a story
const SECTIONS = { "#/overview": "overview", "#/duty": "duty" };

// how a case or an alert is called aloud: an exercise says that it is one
const called = (one) => (one.drill ? `${say("drill")} ${titled(one.title)}` : titled(one.title));

class Console {
  constructor() {
    this.fresh = new Set();
    this.city = new City((what, about) => this.heard(what, about));
    this.filters = new Filters($("filters"), () => {
      this.drawSoon();
      this.searchSoon();
    });
    this.path = new Path((code) => this.gone(code));
    this.story = new Story({
      rules: this.city.rules, carried: (...of) => this.city.carried(...of), departments: () => this.filters.found.departments, closed: (id) => this.left(id), changed: () => this.drawSoon(),
      show: (one) => this.showOnMap(one),
    });
    this.caseList = new CaseList({ open: (id) => this.open(id), current: () => this.story.id, fresh: this.fresh });
    this.alertList = new AlertList({ open: (alert) => this.openAlert(alert), rules: this.city.rules });
    this.overview = new Overview({ path: this.path, open: (id) => this.open(id) });
    this.duty = new DutyRoom({ open: (id) => this.open(id) });
    this.player = new PlayerBar(() => this.city.posts.some((post) => ["supervisor", "admin"].includes(post.role)));
    this.drawSoon = soon(() => this.draw());
    this.drawFigures = atMost(400, () => drawCounts([...this.city.cases.values()], [...this.city.alerts.values()]));
    this.searchSoon = atMost(500, () => {
      const beyond = this.filters.beyond();
      if (beyond) this.city.search(beyond).catch(() => null);
    });
    this.reload = atMost(1000, () => this.story.load());
  }

  async start() {
    this.listen();
    this.say();
    try {
      await this.city.enter();
    } catch (problem) {
      if (problem.status === 401) this.signIn();
      else {
        this.city.link = "lost";
        this.drawLink();
        setTimeout(() => location.reload(), 3000);
      }
      return;
    }
    this.filters.posts(this.city.posts);
    $("report").hidden = !this.city.posts.some((post) => post.role === "operator");
    this.makeMap();
    this.path.show($("path"));
    this.say();
    this.city.follow();
    this.route();
    this.askPlayer();
    every(5000, async () => {
      if (this.story.id && this.city.cases.get(this.story.id)?.open) await this.story.load();
      if (this.overview.shown) await this.overview.load();
    });
    await Promise.all([this.loadAreas(), this.city.loadAlerts(), this.city.loadSensors()]);
    if (!this.story.id) this.map.beginAt([...this.city.sensors.values()].map((one) => one.geometry.coordinates));
  }

  makeMap() {
    this.map = new CityMap($("map"), {
      theme: theme(), bounds: this.city.status.bounds,
      picked: (found, x, y) => this.picked(found, x, y), hovered: (found, x, y) => this.tip(found, x, y),
    });
    this.report = new ReportForm({ map: this.map, view: (name) => this.view(name), done: (one) => {
      this.city.keep(one);
      this.open(one.id);
      this.announce(say("reported_ok", { id: one.id }));
    } });
  }

  async loadAreas() {
    for (const level of ["county", "street", "community"]) {
      const { features } = await api.areas(level);
      this.path.learn(features);
      if (level === "county") this.map.put(level, { type: "FeatureCollection", features });
      else this.map.setNames(level, features);
    }
    this.map.put("zones", "/api/v1/zones.geojson");
    this.map.put("grid", "/api/v1/grids.geojson?level=grid");
  }

  // the demo says how it plays; an engine on the machine's own clock has no player, and is not asked
  async askPlayer() {
    if (Math.abs(this.city.status.now_ms - Date.now()) < PLAYED_MS) return;
    try {
      await this.player.load();
      every(2000, () => this.player.load());
    } catch { /* none here */ }
  }

  // ---- what is heard

  heard(what, about) {
    if (what === "out") this.signIn();
    else if (what === "status") this.drawStatus();
    else if (what === "link") this.drawLink();
    else if (what === "sensors") this.map?.setSensors(this.city.sensors, about);
    else if (what === "red") this.rang(about);
    else if (what === "opened") this.opened(about);
    else if (what === "moved") this.moved(about);
    else this.drawSoon();
    if (what === "alerts" && this.story.id && (!about || about.some((alert) => alert.case === this.story.id))) this.reload();
  }

  rang(alert) {
    sound.ring();
    document.body.dataset.rang = Number(document.body.dataset.rang ?? 0) + 1;
    this.announce(say("red_alert", { title: called(alert), place: this.path.name(alert.grid?.slice(0, 12) ?? "") }));
  }

  opened({ case: one }) {
    this.fresh.add(one.id);
    setTimeout(() => {
      this.fresh.delete(one.id);
      this.drawSoon();
    }, FRESH_MS);
    this.announce(say("new_case", { title: called(one), place: one.grid_name ?? one.grid ?? "", level: levelWord(one.level) }));
  }

  moved({ event, case: one }) {
    if (event.person) this.announce(say("moved_case", { title: called(one), move: isEnglish() ? moveWord(event.move) : event.title }));
    if (this.story.id === one.id) this.reload();
  }

  announce(text) {
    this.announced ??= [];
    if (this.announced.length === 0) {
      setTimeout(() => {
        $("announce").textContent = this.announced.slice(-3).join("；");
        this.announced = [];
      }, 400);
    }
    this.announced.push(text);
  }

  // ---- what is drawn

  draw() {
    const cases = [...this.city.cases.values()];
    const alerts = [...this.city.alerts.values()];
    this.filters.learn(cases);
    this.caseList.draw(cases, this.filters);
    this.alertList.draw(alerts, this.filters.area);
    this.drawFigures();
    if (!this.map) return;
    this.map.setCases(cases.filter((one) => !this.filters.area || one.grid?.startsWith(this.filters.area)), this.story.id);
    this.map.setAlerts(alerts.filter((alert) => this.alertList.wants(alert)));
  }

  drawLink() {
    $("link").className = `link ${this.city.link}`;
    $("link-text").textContent = say(this.city.link);
  }

  drawStatus() {
    const { status, stale, heardAt } = this.city;
    if (status) {
      $("clock").textContent = time(status.clock_ms ?? status.now_ms);
      $("city").textContent = status.city;
    }
    drawBanner($("banner"), status, { stale, heardAt, clock: time });
  }

  say() {
    speak();
    $("me").textContent = this.city.posts.map(postWord).join("，");
    $("me").title = say("posts");
    this.drawSound();
    $("legend").replaceChildren(...legend(this.map));
    this.filters.draw();
    this.path.draw();
    this.drawLink();
    this.drawStatus();
    this.story.draw();
    this.overview.draw();
    this.duty.draw();
    this.player.draw();
    this.caseList.rows.forget();
    this.alertList.rows.forget();
    this.drawSoon();
  }

  drawSound() {
    const muted = sound.isMuted();
    $("sound").replaceChildren(bell(muted));
    $("sound").setAttribute("aria-pressed", String(muted));
    $("sound").title = say(muted ? "sound_off" : "sound_on");
  }

  tip(found, x, y) {
    const box = $("tip");
    this.pointed = found;
    const lines = found ? tipOf(found, this.city, () => this.pointed === found && this.tip(found, x, y)) : null;
    box.hidden = !lines;
    if (!lines) return;
    box.replaceChildren(...lines);
    box.style.left = `${Math.min(x + 14, $("map").clientWidth - 250)}px`;
    box.style.top = `${Math.min(y + 14, $("map").clientHeight - 80)}px`;
  }

  // ---- what the person does

  picked(found, x, y) {
    if (found.case) this.open(found.case);
    else if (found.alert) this.openAlert(this.city.alerts.get(found.alert));
    else if (found.sensor) this.tip(found, x, y);
  }

  open(id) {
    this.fresh.delete(id);
    this.section("live");
    this.view("cases");
    const seen = this.city.cases.get(id);
    if (seen) this.map?.show(seen.lon, seen.lat);
    this.story.open(id).then(() => {
      const one = this.story.detail?.case;
      if (!seen && one) this.map?.show(one.lon, one.lat);
      this.drawSoon();
    });
    history.replaceState(null, "", `#${id}`);
    this.drawSoon();
  }

  openAlert(alert) {
    if (!alert) return;
    this.map?.show(alert.lon, alert.lat);
    if (alert.case) this.open(alert.case);
    else this.view("map");
  }

  left(id) {
    history.replaceState(null, "", "/#/");
    this.drawSoon();
    requestAnimationFrame(() => this.caseList.rows.focus(id));
  }

  showOnMap(one) {
    this.map?.show(one.lon, one.lat);
    if (matchMedia("(max-width: 820px)").matches) this.view("map");
  }

  gone(code) {
    this.filters.area = code;
    if (this.path.box) this.map?.fit(this.path.box);
    else if (!code) this.map?.fit();
    if (this.overview.shown) this.overview.load();
    this.drawSoon();
  }

  // map, cases or alerts: beside each other on a wide screen, one at a time on a narrow one
  view(name) {
    $("live").dataset.view = name === "map" ? "map" : "side";
    if (name !== "map") {
      for (const tab of ["cases", "alerts"]) {
        $(`${tab}-panel`).hidden = tab !== name;
        $(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
      }
    }
    for (const button of $("tabs").children) button.setAttribute("aria-pressed", String(button.dataset.view === name));
    this.drawSoon();
  }

  section(name) {
    for (const id of ["live", "overview", "duty"]) $(id).hidden = id !== name;
    $("tabs").hidden = name !== "live";
    for (const link of $("sections").children) link.setAttribute("aria-current", link.dataset.section === name ? "page" : "false");
    if (name === "overview") this.overview.load().catch(() => null);
    if (name === "duty") this.duty.load();
  }

  route() {
    const hash = decodeURIComponent(location.hash);
    if (/^#WO-/.test(hash)) this.open(hash.slice(1));
    else this.section(SECTIONS[hash] ?? "live");
  }

  signIn() {
    location.replace(`/console/login.html${location.hash}`);
  }

  // j, k: through the list that is shown
  step(by) {
    const list = $("alerts-panel").hidden ? this.caseList : this.alertList;
    list.rows.step(by, this.story.id);
  }

  escape() {
    if (this.map?.asking) this.map.answer(null);
    else if (this.story.id) this.story.close();
  }

  listen() {
    sound.prepare();
    const on = (id, name, act) => $(id).addEventListener(name, act);
    on("zoom-in", "click", () => this.map?.zoom(0.8));
    on("zoom-out", "click", () => this.map?.zoom(-0.8));
    on("fit", "click", () => this.path.go(""));
    on("alerts-drill", "change", () => this.drawSoon());
    on("tab-cases", "click", () => this.view("cases"));
    on("tab-alerts", "click", () => this.view("alerts"));
    on("tabs", "click", (event) => event.target.dataset.view && this.view(event.target.dataset.view));
    on("skip", "click", (event) => {
      event.preventDefault();
      this.view("cases");
      $("cases").focus();
    });
    on("report", "click", () => this.report.begin());
    on("sound", "click", () => {
      sound.mute(!sound.isMuted());
      this.drawSound();
    });
    languageButton($("language"), () => this.say());
    themeButton($("theme"), () => this.map?.dye(theme()));
    addEventListener("hashchange", () => this.route());
    this.listenToPosts();
    const search = () => {
      this.view("cases");
      $("search").focus();
    };
    keys.listen([
      ["j", "k_next", () => this.step(1)], ["k", "k_before", () => this.step(-1)], ["/", "k_search", search],
      ["1", "k_alerts", () => this.view("alerts")], ["2", "k_cases", () => this.view("cases")],
      ["l", "k_live", () => { location.hash = "#/"; }], ["o", "k_overview", () => { location.hash = "#/overview"; }], ["t", "k_duty", () => { location.hash = "#/duty"; }],
      ["m", "mute", () => $("sound").click()], ["n", "theme", () => $("theme").click()], ["?", "k_help", () => $("help").click()],
    ], { escape: () => this.escape(), press: (key) => this.story.press(key) });
  }

  listenToPosts() {
    const dialog = $("posts-dialog");
    $("me").addEventListener("click", () => {
      $("posts-list").replaceChildren(...this.city.posts.map((post) => el("li", {}, postWord(post))));
      $("post-fault").textContent = "";
      dialog.showModal();
    });
    $("posts-close").addEventListener("click", () => dialog.close());
    $("leave").addEventListener("click", async () => {
      await api.leave();
      this.signIn();
    });
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        this.city.posts.push(await api.addToken($("post-token").value.trim()));
        this.filters.posts(this.city.posts);
        $("report").hidden = !this.city.posts.some((post) => post.role === "operator");
        this.say();
        this.story.load();
        dialog.close();
      } catch (problem) {
        $("post-fault").textContent = problem.status === 401 ? say("bad_token") : problem.message;
      } finally {
        $("post-token").value = "";
      }
    });
  }
}

new Console().start();
