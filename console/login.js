// Signing in with a token; then back to the page that asked for it (named after the #).

import * as api from "./talk/api.js";
import { $ } from "./dom.js";
import { languageButton } from "./views/tools.js";
import { say, speak } from "./words/words.js";

const BACK = { "#field": "/console/field.html" };

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("sign-in-fault").textContent = "";
  try {
    await api.logIn($("name").value.trim(), $("token").value.trim());
    location.replace(BACK[location.hash] ?? (location.hash.startsWith("#/") || location.hash.startsWith("#WO-") ? `/${location.hash}` : "/"));
  } catch (problem) {
    const said = { 0: "lost", 429: "too_many_tries" }[problem.status] ?? "bad_token";
    $("sign-in-fault").textContent = say(said);
    $("token").value = "";
    $("token").focus();
  }
});

languageButton($("language"), () => speak());
speak();
$("name").focus();
