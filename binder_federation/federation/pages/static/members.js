/** The line of members at the foot of the home page: names with the state of each. */

const EVERY_MS = 15_000;
const TIMEOUT_MS = 5_000;

const STATE_WORDS = {
  up: "up",
  degraded: "slow",
  recovering: "coming back",
  suspect: "not answering well",
  down: "down",
  draining: "takes no new launches",
  ejected: "out for a while after failures",
  joining: "joining",
  unknown: "not known yet",
};

/** Shows the members in `section` and keeps them fresh while the page is seen. */
export function showMembers(section, list, url) {
  const refresh = async () => {
    if (document.hidden) return;
    const members = await fetchMembers(url);
    if (members === null) return; // what was shown stays; the next pass may succeed
    list.replaceChildren(...members.map(makeItem));
    section.hidden = members.length === 0;
  };
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY_MS);
  return refresh();
}

async function fetchMembers(url) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return answer.ok ? ((await answer.json()).members ?? []) : null;
  } catch {
    return null;
  }
}

function makeItem(member) {
  const item = document.createElement("li");
  const dot = document.createElement("span");
  dot.className = "dot";
  dot.dataset.state = member.state;
  dot.setAttribute("aria-hidden", "true");
  const words = STATE_WORDS[member.state] ?? member.state;
  const state = document.createElement("span");
  state.className = member.state === "up" ? "visually-hidden" : "member-state";
  state.textContent = ` ${words}`;
  item.append(dot, member.name, state);
  item.title = [words, describeLoad(member.load)].filter(Boolean).join(" · ");
  return item;
}

function describeLoad(load) {
  if (!load || !load.capacity) return "";
  return `${(load.running ?? 0) + (load.pending ?? 0)} of ${load.capacity} sessions`;
}
