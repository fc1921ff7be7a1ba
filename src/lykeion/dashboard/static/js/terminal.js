// What was written for a terminal, as text for a page: colours become classes, every other command nothing, and what hides or turns text
// round is shown. Pure.

const LONGEST = 4096; // characters of a command: what is longer is text
const WORD = `[^\\x07\\x1b\\n\\x90\\x98\\x9c-\\x9f]{0,${LONGEST}}`;
const LOOK = "(?:\\x1b\\[|\\x9b)([0-?]*)([ -/]*)([@-~])"; // CSI; with "m" at its end it says how text looks
const WORDS = `(?:\\x1b[\\]PX^_]|[\\x9d\\x90\\x98\\x9e\\x9f])${WORD}(?:\\x07|\\x1b\\\\|\\x9c)`; // titles, links, clipboards
const SHORT = "\\x1b[ -/]*[0-~]";
const COMMAND = new RegExp(`${LOOK}|${WORDS}|${SHORT}`, "g");
const BEGUN = new RegExp(`(?:\\x1b(?:\\[[0-?]*[ -/]*|[ -/]*|[\\]PX^_]${WORD}\\x1b?)|\\x9b[0-?]*[ -/]*|[\\x9d\\x90\\x98\\x9e\\x9f]${WORD}\\x1b?|\\r)$`); // may go on
const ODD = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const PLAIN = { colour: null, bold: false, italic: false, underline: false };

// A character that is not seen, or that turns round what follows it, as one that is seen.
function seen(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? "\u2421" : `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
}

const lines = (text) => text.replace(/\r\n?/g, "\n");

// Text for a title or a message: without a terminal's commands and colours.
export const plain = (text) => lines(text.replace(COMMAND, "")).replace(ODD, seen);

// Text that comes in parts, as pieces {text, style}, where style is the class of its colour and weight.
export class Terminal {
  constructor() {
    this.look = { ...PLAIN };
    this.begun = ""; // the start of a command whose end has not come yet
  }

  read(part) {
    const whole = this.begun + part;
    const begun = whole.slice(-LONGEST).match(BEGUN)?.[0] ?? "";
    this.begun = begun;
    return this.pieces(whole.slice(0, whole.length - begun.length));
  }

  // What is left when nothing comes any more.
  end() {
    const left = this.begun;
    this.begun = "";
    return this.pieces(left);
  }

  pieces(text) {
    const found = [];
    const add = (written) => written && found.push({ text: lines(written).replace(ODD, seen), style: styleOf(this.look) });
    let from = 0;
    for (const command of text.matchAll(COMMAND)) {
      add(text.slice(from, command.index));
      from = command.index + command[0].length;
      if (command[3] === "m" && !command[2]) this.look = changed(this.look, command[1]);
    }
    add(text.slice(from));
    return found;
  }
}

function styleOf(look) {
  return [look.colour !== null && `ink-${look.colour}`, look.bold && "bold", look.italic && "italic", look.underline && "underline"].filter(Boolean).join(" ");
}

// The look after SGR's numbers. Backgrounds, blinking, faint and hidden text are left out: whatever is written can be read.
function changed(look, numbers) {
  const after = { ...look };
  const codes = numbers.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) Object.assign(after, PLAIN);
    else if (code === 1) after.bold = true;
    else if (code === 3) after.italic = true;
    else if (code === 4) after.underline = true;
    else if (code === 22) after.bold = false;
    else if (code === 23) after.italic = false;
    else if (code === 24) after.underline = false;
    else if (code === 39) after.colour = null;
    else if (code >= 30 && code <= 37) after.colour = code - 30;
    else if (code >= 90 && code <= 97) after.colour = code - 82;
    else if (code === 38 || code === 48) {
      const isOne = codes[at + 1] === 5;
      const given = isOne ? ofTable(codes[at + 2]) : ofLight(codes.slice(at + 2, at + 5));
      if (code === 38) after.colour = given;
      at += isOne ? 2 : 4;
    }
  }
  return after;
}

// One of the 256 colours as the nearest of 16.
function ofTable(number) {
  if (number < 16) return number;
  if (number >= 232) return ofLight(Array(3).fill((number - 232) * 10 + 8));
  const cube = number - 16;
  return ofLight([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((part) => part * 51));
}

// Red, green and blue as the nearest of 16.
function ofLight(light) {
  const most = Math.max(...light);
  const least = Math.min(...light);
  if (!(most <= 255)) return null;
  if (most - least < 48) return most > 128 ? 7 : 8;
  const middle = (most + least) / 2;
  return light.reduce((bits, part, place) => bits + (part > middle ? 2 ** place : 0), most > 200 ? 8 : 0);
}
