// Night as a duty room has it, or light as chosen, before anything is drawn. A plain script, so that nothing flashes.
document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "night";
