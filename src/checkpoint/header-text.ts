import { SafetensorsError } from "../base/errors.ts";

const quote = 34;
const backslash = 92;

const isSpace = (code: number): boolean => code === 32 || code === 10 || code === 13 || code === 9;
const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** The most names of an object: each takes far more memory than its text. */
const mostNames = 2 ** 20;

/** Something of a header for an error message, however long it is. */
export const shown = (text: string): string =>
  JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

/**
 * Reads the JSON that a header may be: objects, strings and whole numbers. It says what comes next, so that nothing is
 * ever built that is not wanted; a name that comes twice in an object, which `JSON.parse` would let pass, is refused.
 */
export class HeaderText {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Calls `entry` for each name in an object, of which there may be `most`; it must read what belongs to the name. */
  object(what: string, entry: (name: string) => void, most = mostNames): void {
    this.expect("{", what);
    if (this.#skip("}")) return;
    const seen = new Set<string>();
    do {
      const name = this.string(`a name in ${what}`);
      if (seen.has(name)) throw this.error(`${what} has ${shown(name)} twice`);
      if (seen.size === most) throw this.error(`${what} has more than ${most} names`);
      seen.add(name);
      this.expect(":", what);
      entry(name);
    } while (this.#skip(","));
    this.expect("}", what);
  }

  /** Whole numbers from 0 to 2^53 - 1 in brackets, at most `most` of them. */
  numbers(what: string, most: number): number[] {
    const numbers: number[] = [];
    this.expect("[", what);
    if (this.#skip("]")) return numbers;
    do {
      if (numbers.length === most) throw this.error(`${what} has more than ${most} numbers`);
      numbers.push(this.#number(what));
    } while (this.#skip(","));
    this.expect("]", what);
    return numbers;
  }

  #number(what: string): number {
    this.#skipSpace();
    const from = this.#at;
    let value = 0;
    for (let code = this.#code(); isDigit(code); code = this.#code()) {
      value = value * 10 + code - 48;
      this.#at++;
    }
    const digits = this.#at - from;
    if (digits === 0 || (digits > 1 && this.#text[from] === "0") || value > Number.MAX_SAFE_INTEGER)
      throw this.error(`${what} has something that is not a whole number from 0 to 2^53 - 1`);
    return value;
  }

  /** A string. */
  string(what: string): string {
    this.expect('"', what);
    const from = this.#at;
    let isPlain = true;
    for (let code = this.#code(); code !== quote; code = this.#code()) {
      if (!(code >= 32)) throw this.error(`${what} is a string that does not end, or has control characters`);
      if (code === backslash) {
        isPlain = false;
        this.#at++;
      }
      this.#at++;
    }
    const raw = this.#text.slice(from, this.#at++);
    return isPlain ? raw : this.#unescaped(raw, what);
  }

  #unescaped(raw: string, what: string): string {
    let text: string;
    try {
      text = JSON.parse(`"${raw}"`);
    } catch {
      throw this.error(`${what} has an escape that JSON does not know`);
    }
    if (/\p{Surrogate}/u.test(text)) throw this.error(`${what} has half of a surrogate pair`);
    return text;
  }

  /** Checks that nothing is left but the padding. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.error("there is something after its end");
  }

  /** Reads one character that must be next. */
  expect(character: string, what: string): void {
    if (this.#skip(character)) return;
    const next = this.#at < this.#text.length ? shown(this.#text[this.#at]!) : "its end";
    throw this.error(`${what} needs ${shown(character)}, not ${next}`);
  }

  #skip(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    while (isSpace(this.#code())) this.#at++;
  }

  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  /** An error at this place. */
  error(problem: string): SafetensorsError {
    return new SafetensorsError(
      `The safetensors header is broken at character ${this.#at}: ${problem}. The file is damaged, or is no safetensors file.`,
    );
  }
}
