// What single keys do, and the page that says so. They can be switched off (WCAG 2.1.4), and do nothing while one types.

import { $, el } from "../dom.js";
import { moveWord, say } from "../words/words.js";
import { MOVE_KEYS } from "./moves.js";

let on = localStorage.getItem("keys") !== "off";

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null;

// `table`: [key, word, act]; `escape`: what Esc does; `press(key)`: a move, true if there was one
export function listen(table, { escape, press }) {
  const acts = new Map(table.map(([key, , act]) => [key, act]));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) return escape();
    if (!on || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return undefined;
    const act = acts.get(event.key);
    if (act) act();
    else if (!press(event.key)) return undefined;
    event.preventDefault();
    return undefined;
  });
  $("help").addEventListener("click", () => help(table));
}

export function help(table) {
  const dialog = $("help-dialog");
  const row = (key, word) => el("tr", {}, el("td", {}, el("kbd", {}, key)), el("td", {}, word));
  const box = el("input", { type: "checkbox", id: "keys-on", onchange: (event) => {
    on = event.target.checked;
    localStorage.setItem("keys", on ? "on" : "off");
  } });
  box.checked = on;
  dialog.replaceChildren(
    el("h2", { id: "help-title" }, say("help")),
    el("table", { class: "help-keys" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("keyed")), el("th", { scope: "col" }, say("does")))),
      el("tbody", {}, table.map(([key, word]) => row(key, say(word))), row("Enter", say("k_open")), row("Esc", say("k_back")),
        Object.entries(MOVE_KEYS).map(([move, key]) => row(key, moveWord(move))))),
    el("label", { class: "check" }, box, say("keys_on")),
    el("p", {}, say("credit")),
    el("div", { class: "row-of" }, el("button", { type: "button", class: "main", onclick: () => dialog.close() }, say("help_close"))));
  dialog.showModal();
}
