// The small switches in the corner: language and theme.

import { el, svg } from "../dom.js";
import { isEnglish, say, setEnglish } from "../words/words.js";

function spoken(button) {
  button.textContent = isEnglish() ? "中" : "EN";
  button.lang = isEnglish() ? "zh-CN" : "en";
  button.setAttribute("aria-label", isEnglish() ? "中：切换为中文" : "EN: switch to English");
}

export function languageButton(button, changed) {
  button.addEventListener("click", () => {
    setEnglish(!isEnglish());
    spoken(button);
    changed();
  });
  spoken(button);
}

export const theme = () => document.documentElement.dataset.theme;

export function themeButton(button, changed) {
  const show = () => {
    button.textContent = theme() === "night" ? "☀" : "☾";
    button.title = say(theme() === "night" ? "to_light" : "to_night");
  };
  button.addEventListener("click", () => {
    const next = theme() === "night" ? "light" : "night";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("theme", next);
    show();
    changed();
  });
  show();
}

export const bell = (muted) => svg("svg", { width: 16, height: 16, viewBox: "0 0 16 16", fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linecap": "round", "aria-hidden": "true" },
  svg("path", { d: "M4 11V7a4 4 0 0 1 8 0v4l1 1.5H3zM6.8 14.3h2.4" }), muted && svg("path", { d: "M2 2l12 12", stroke: "var(--red)" }));

// what the engine says of itself, on every page: late, overloaded, not ready, or not heard of for too long
export function drawBanner(banner, status, { stale = false, heardAt = null, clock = () => "" } = {}) {
  const said = [];
  if (stale) said.push(say("stale", { time: clock(heardAt) }));
  if (status) {
    said.push(...(status.faults ?? []), ...(status.gaps ?? []));
    if (!status.ready && !status.behind_s) said.push(say("not_ready", { why: status.reasons.join("；") || "…" }));
    if (status.behind_s >= 5) said.push(say("behind", { seconds: Math.round(status.behind_s), waiting: status.waiting }));
    if (status.overloaded) said.push(say("overloaded"));
  }
  const text = said.join("　");
  if (banner.dataset.said !== text) {
    banner.dataset.said = text;
    banner.replaceChildren(el("span", {}, text));
  }
  banner.hidden = said.length === 0;
  banner.className = `banner ${stale || status?.faults.length || status?.overloaded ? "bad" : ""}`;
}
