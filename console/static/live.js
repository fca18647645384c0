// Live figures: server-sent events with the load of all servers. Screen readers hear a summary, at most once
// in 30 seconds.
const SPOKEN_EVERY = 30_000;

export function watch(line) {
  const source = new EventSource(line.dataset.live);
  let spoken = 0;
  const say = (text, now) => {
    if (now || Date.now() - spoken >= SPOKEN_EVERY) {
      spoken = Date.now();
      line.textContent = text;
    }
  };
  source.onmessage = (event) => {
    const figures = JSON.parse(event.data);
    show(figures.servers);
    say(summary(figures));
  };
  source.addEventListener("end", (event) => {
    source.close();
    say(JSON.parse(event.data), true);
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) say("Live figures are not available now: reload the page.", true);
    else say("The connection to the server is interrupted. The figures may be old.", true);
  };
  addEventListener("pagehide", () => source.close());
}

function show(servers) {
  for (const row of document.querySelectorAll("[data-server]")) {
    const server = servers.find((s) => s.name === row.dataset.server);
    if (!server) continue;
    const set = (field, text) => {
      const cell = row.querySelector(`[data-field=${field}]`);
      if (cell && cell.textContent !== text) cell.textContent = text;
    };
    const answers = server.problem === "";
    state(row.querySelector("[data-field=state]"), answers ? server.state : "no answer");
    set("sessions", answers ? String(server.sessions) : "unknown");
    for (const field of ["accepted", "retrieved", "removed"]) set(field, rate(server[field]));
    set("heap", server.heap);
  }
}

function state(cell, text) {
  if (!cell || cell.textContent === text) return;
  const tag = document.createElement("span");
  tag.className = text === "no answer" ? "state bad" : `state ${text}`;
  tag.textContent = text;
  cell.replaceChildren(tag);
}

function rate(n) {
  if (n < 0) return "–";
  return n < 10 ? n.toFixed(1) : String(Math.round(n));
}

function summary({ servers, warning }) {
  const sum = (field) => servers.reduce((n, s) => n + Math.max(0, s[field]), 0);
  const silent = servers.filter((s) => s.problem !== "").length;
  let text = `Live: ${sum("sessions")} sessions, ${rate(sum("accepted"))} messages accepted and ${rate(sum("retrieved"))} retrieved in a second.`;
  if (silent > 0) text += ` ${silent} of ${servers.length} servers do not answer.`;
  if (warning) text += ` Warning: ${warning}.`;
  return text;
}
