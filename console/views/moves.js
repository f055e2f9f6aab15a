// The moves that a person may make on a case now, as a form: what each needs, and the key that makes it.

import { el } from "../dom.js";
import { moment, moveWord, say, titled } from "../words/words.js";

const REASONED = new Set(["reject", "return", "extend", "void", "reopen", "verify_fail"]);
const MAIN = new Set(["accept", "file", "dispatch", "start", "finish", "verify_pass", "close", "resume", "reopen", "unmerge"]);
const ASKING = [["extend", "due", { type: "datetime-local" }], ["merge", "into", { placeholder: "WO-…" }]];

// single keys of moves; those that lead on only, so that no slip of a finger voids a case
export const MOVE_KEYS = { accept: "a", file: "f", dispatch: "d", start: "s", finish: "w", verify_pass: "v", verify_fail: "r", close: "e", resume: "u" };

export const needsReason = (move) => REASONED.has(move);
export const shownMoves = (one) => one.moves.flatMap((move) => (move === "verify" ? ["verify_pass", "verify_fail"] : [move])).filter((move) => move !== "attach");

export function movesForm(one, { busy, draft, departments, make, said }) {
  const moves = shownMoves(one);
  if (!moves.length) return null;
  const button = (move) => el("button", {
    type: "button", class: MAIN.has(move) ? "main" : "plain", id: `move-${move}`, "data-move": move, disabled: busy, onclick: () => make(move),
    "aria-keyshortcuts": MOVE_KEYS[move] ?? null,
  }, moveWord(move), MOVE_KEYS[move] && el("kbd", { "aria-hidden": "true" }, MOVE_KEYS[move].toUpperCase()));
  const field = (name, attributes) => el("label", {}, say(name), el("input", { id: `do-${name}`, "data-draft": name, autocomplete: "off", ...attributes }));
  const asking = ASKING.filter(([move]) => moves.includes(move));
  const plain = moves.filter((move) => !asking.some(([asks]) => asks === move));
  return el("form", { class: "do", onsubmit: (event) => event.preventDefault() },
    el("h3", {}, say("moves")),
    el("label", { class: "unseen", for: "do-note" }, say("note")),
    el("textarea", { id: "do-note", "data-draft": "note", rows: 2, maxlength: 2000, placeholder: say("note_hint") }),
    moves.includes("dispatch") && el("div", { class: "more" }, field("departments", { placeholder: one.department ?? "", list: "known-departments" }),
      el("datalist", { id: "known-departments" }, [...departments].map(([code, title]) => el("option", { value: code }, titled(title) ?? code)))),
    one.moves.includes("verify") && one.close === "sensor" && el("label", { class: "check" }, el("input", { type: "checkbox", id: "do-override", "data-draft": "override" }), say("override")),
    el("div", { class: "buttons" }, plain.map(button)),
    asking.length > 0 && el("details", { open: draft.due || draft.into || null, id: "do-more" }, el("summary", {}, say("more_moves")),
      asking.map(([move, name, attributes]) => el("div", { class: "more" }, field(name, attributes), button(move)))),
    el("p", { class: `answer ${said?.good ? "good" : "bad"}`, role: "status" }, said?.text ?? ""));
}

export function bodyOf(name, { note, departments, due, into, override } = {}) {
  const [move, result] = name.startsWith("verify_") ? ["verify", name.slice(7)] : [name, undefined];
  const text = note?.trim() || undefined;
  const body = { move, result };
  if (REASONED.has(name) || (override && move === "verify")) body.reason = text;
  else body.note = text;
  if (move === "verify" && result === "pass" && override) body.override = true;
  if (move === "dispatch" && departments?.trim()) body.departments = departments.trim().split(/[\s,，、]+/);
  if (move === "extend" && due) body.due = moment(due);
  if (move === "merge" && into?.trim()) body.into = into.trim();
  return body;
}
