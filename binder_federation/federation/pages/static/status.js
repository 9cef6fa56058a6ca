/**
 * Keeps the status page fresh: asks for the page itself again, and takes over the parts that
 * have changed. So one template tells everything, with and without scripts, and an answer
 * that is the same costs nothing (304, which the browser's own cache answers).
 */

import { pauseMs } from "./poll-pause.js";

const TIMEOUT_MS = 8_000;

const live = document.getElementById("live");
const freshness = document.getElementById("freshness");
const announcer = document.getElementById("announcer");
/** What the server said of each part: what stands in the page has local times. */
let told = readParts(live);
let tag = "";
let failures = 0;
let timer = 0;

function readParts(root) {
  return new Map([...root.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part.cloneNode(true)]));
}

async function refresh() {
  clearTimeout(timer);
  if (!document.hidden) await ask();
  timer = setTimeout(refresh, pauseMs(failures));
}

async function ask() {
  try {
    const answer = await fetch(location.pathname, {
      cache: "no-cache",
      headers: { Accept: "text/html" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(String(answer.status));
    const newTag = answer.headers.get("ETag") ?? "";
    if (newTag === "" || newTag !== tag) take(await answer.text());
    tag = newTag;
    failures = 0;
    showFreshness(false);
  } catch {
    failures += 1;
    if (failures > 1) showFreshness(true);
  }
}

function take(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("live");
  if (!fresh) return;
  const before = headline();
  const parts = readParts(fresh);
  if ([...parts.keys()].join() === [...told.keys()].join()) replaceParts(fresh, parts);
  else live.replaceChildren(...fresh.childNodes);
  told = parts;
  showLocalTimes(live);
  if (headline() !== before) announcer.textContent = headline();
}

function replaceParts(fresh, parts) {
  for (const [name, part] of parts) {
    if (told.get(name).isEqualNode(part)) continue;
    const selector = `[data-live="${CSS.escape(name)}"]`;
    live.querySelector(selector).replaceWith(fresh.querySelector(selector));
  }
}

function headline() {
  return document.getElementById("headline").textContent;
}

/** Times in the visitor's own zone; the day is told where it is not today. */
function showLocalTimes(root) {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const isToday = at.toDateString() === today;
    time.title = time.dateTime;
    time.textContent = new Intl.DateTimeFormat("en-GB", {
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      ...(isToday ? {} : { day: "numeric", month: "short" }),
    }).format(at);
  }
}

function showFreshness(isStale) {
  freshness.classList.toggle("is-stale", isStale);
  if (isStale) {
    freshness.textContent = `${freshness.dataset.last ?? "before"}; asking again, as there is no answer now`;
    return;
  }
  freshness.dataset.last = new Date().toLocaleTimeString("en-GB");
  freshness.textContent = freshness.dataset.last;
}

showLocalTimes(document.getElementById("main"));
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
timer = setTimeout(refresh, pauseMs(0));
