/**
 * The build log on the page: collapsible, coloured, capped, following its end.
 *
 * Lines are collected for a moment and added together, since a build may write
 * thousands in a second. The view follows the end only while it is at the end: who
 * scrolled up to read is left there.
 */

import { Terminal } from "./ansi.js";
import { makeCopyButton } from "./copy.js";

const MAX_LINES = 5000;
const COLLECT_MS = 40;
const NEAR_END_PIXELS = 24;
const OPEN_KEY = "binder-federation.log-open";

export class BuildLog {
  #terminal = new Terminal();
  #waiting = [];
  #timer = 0;
  #total = 0;
  #current = null;

  constructor({ details, lines, count, rawButton, copyButton, status }) {
    Object.assign(this, { details, lines, count });
    this.details.open = readOpen();
    this.details.querySelector("summary").addEventListener("click", () => {
      saveOpen(!this.details.open); // the click comes before the change
    });
    this.details.addEventListener("toggle", () => this.#scrollToEnd());
    rawButton.addEventListener("click", () => openRaw(this.text));
    makeCopyButton(copyButton, () => this.text, status);
  }

  /** The log as plain text; the first lines of a very long one are gone. */
  get text() {
    this.#flush();
    const left = this.#total - this.lines.childElementCount;
    const note = left > 0 ? `(${left} earlier lines are left out)\n` : "";
    return note + this.lines.textContent;
  }

  write(text) {
    this.#waiting.push(text);
    this.#timer ||= setTimeout(() => this.#flush(), COLLECT_MS);
  }

  /** Opens the log without remembering that for the next visit. */
  open() {
    this.#flush();
    this.details.open = true;
    this.#scrollToEnd();
  }

  get isEmpty() {
    return this.#total === 0 && this.#waiting.length === 0;
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join("");
    this.#waiting = [];
    const isAtEnd = this.#isAtEnd();
    this.#append(this.#terminal.write(text));
    if (isAtEnd) this.#scrollToEnd();
  }

  /** Adds whole lines, then the one that is still being written. */
  #append(runsOfLines) {
    this.#current?.remove();
    const kept = runsOfLines.slice(-MAX_LINES);
    this.lines.append(...kept.map((runs) => makeLine(runs)));
    this.#total += runsOfLines.length;
    while (this.lines.childElementCount > MAX_LINES) this.lines.firstElementChild.remove();
    const open = this.#terminal.line;
    this.#current = open.length ? makeLine(open) : null;
    if (this.#current) this.lines.append(this.#current);
    this.count.textContent = this.#total === 1 ? "1 line" : `${this.#total.toLocaleString("en")} lines`;
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.lines;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PIXELS;
  }

  #scrollToEnd() {
    this.lines.scrollTop = this.lines.scrollHeight;
  }
}

function makeLine(runs) {
  const line = document.createElement("span");
  line.className = "line";
  for (const { text, classes } of runs) {
    if (classes.length === 0) {
      line.append(text);
      continue;
    }
    const run = document.createElement("span");
    run.className = classes.join(" ");
    run.textContent = text;
    line.append(run);
  }
  line.append("\n");
  return line;
}

/** Plain text in a new tab. */
function openRaw(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  window.open(url, "_blank", "noopener");
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function readOpen() {
  try {
    return localStorage.getItem(OPEN_KEY) === "yes";
  } catch {
    return false; // storage is switched off in this browser
  }
}

function saveOpen(isOpen) {
  try {
    localStorage.setItem(OPEN_KEY, isOpen ? "yes" : "no");
  } catch {
    // storage is switched off in this browser: the choice holds for this page only
  }
}
