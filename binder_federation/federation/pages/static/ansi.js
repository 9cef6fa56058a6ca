/**
 * A small terminal: text with escape sequences becomes lines of coloured runs.
 *
 * Colours, bold, dim, italic and underline are kept, `\r` and backspace move in the line
 * so that progress bars overwrite themselves, every other sequence is dropped. A
 * sequence may be cut in two between writes. Text is only ever text: what makes DOM
 * of it (`build-log.js`) sets textContent.
 */

const COLORS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const MAX_COLUMNS = 4000;
const TAB = 8;

/** What an escape sequence can be: CSI, OSC (ended by BEL or ST), charset, two characters. */
const SEQUENCE = /^\x1b(?:\[([0-?]*)([ -/]*[@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+#%][\s\S]|[^[\]()*+#%])/;
const LONGEST_SEQUENCE = 4096;

export class Terminal {
  #cells = [];
  #column = 0;
  #style = {};
  #unfinished = "";

  /** The line that is being written, as runs `{text, classes}`. */
  get line() {
    return toRuns(this.#cells);
  }

  /** Takes text in whatever pieces; returns the lines that it completes, as runs. */
  write(text) {
    const lines = [];
    let rest = this.#unfinished + text;
    this.#unfinished = "";
    while (rest) {
      const escape = rest.indexOf("\x1b");
      const plain = escape < 0 ? rest : rest.slice(0, escape);
      for (const character of plain) this.#put(character, lines);
      if (escape < 0) break;
      rest = this.#takeSequence(rest.slice(escape));
    }
    return lines;
  }

  /** Applies the sequence at the beginning of `text`; returns what follows it. */
  #takeSequence(text) {
    const match = SEQUENCE.exec(text);
    if (match) {
      if (match[2] === "m") this.#style = applyColors(this.#style, match[1]);
      if (match[2] === "K") this.#erase(match[1]);
      return text.slice(match[0].length);
    }
    if (text.length > LONGEST_SEQUENCE || /^\x1b\[[0-?]*[ -/]*[^0-?@-~ -/]/.test(text)) {
      return text.slice(1); // not a sequence at all: only the escape is dropped
    }
    this.#unfinished = text; // its end may come with the next piece
    return "";
  }

  #put(character, lines) {
    if (character === "\n") {
      lines.push(this.line);
      this.#cells = [];
      this.#column = 0;
    } else if (character === "\r") {
      this.#column = 0;
    } else if (character === "\b") {
      this.#column = Math.max(0, this.#column - 1);
    } else if (character === "\t") {
      do this.#set(" "); while (this.#column % TAB && this.#column < MAX_COLUMNS);
    } else if (character >= " " && character !== "\x7f") {
      this.#set(character);
    }
  }

  #set(character) {
    if (this.#column >= MAX_COLUMNS) return;
    this.#cells[this.#column] = { character, style: this.#style };
    this.#column += 1;
  }

  #erase(parameter) {
    if (parameter === "2") this.#cells = [];
    else if (parameter === "1") this.#cells.fill(undefined, 0, this.#column);
    else this.#cells.length = Math.min(this.#cells.length, this.#column);
  }
}

/** The style after `ESC [ <parameters> m`. Extended colours over 15 are left out. */
function applyColors(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = style;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index];
    if (code === 38 || code === 48) {
      const number = codes[index + 1] === 5 ? codes[index + 2] : undefined;
      next = { ...next, [code === 38 ? "color" : "background"]: namedColor(number) };
      index += codes[index + 1] === 2 ? 4 : 2;
    } else {
      next = applyCode(next, code);
    }
  }
  return next;
}

function applyCode(style, code) {
  if (!code) return {};
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4) return { ...style, underline: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code === 39) return { ...style, color: undefined };
  if (code === 49) return { ...style, background: undefined };
  if (code >= 30 && code <= 37) return { ...style, color: COLORS[code - 30] };
  if (code >= 40 && code <= 47) return { ...style, background: COLORS[code - 40] };
  if (code >= 90 && code <= 97) return { ...style, color: COLORS[code - 90] };
  return style;
}

function namedColor(number) {
  return number >= 0 && number < 16 ? COLORS[number % 8] : undefined;
}

function toRuns(cells) {
  const runs = [];
  let last = null;
  for (const cell of cells) { // also over holes, which "1K" leaves
    const { character, style } = cell ?? { character: " ", style: {} };
    if (last === null || last.style !== style) {
      last = { text: "", style };
      runs.push(last);
    }
    last.text += character;
  }
  return runs.map(({ text, style }) => ({ text, classes: toClasses(style) }));
}

function toClasses({ color, background, bold, dim, italic, underline }) {
  return [
    color && `ansi-${color}`,
    background && `ansi-on-${background}`,
    bold && "ansi-bold",
    dim && "ansi-dim",
    italic && "ansi-italic",
    underline && "ansi-underline",
  ].filter(Boolean);
}
