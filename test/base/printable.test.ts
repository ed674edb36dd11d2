import { inspect } from "node:util";
import { expect, test } from "vitest";
import { CheckpointError, FileError, SafetensorsError } from "../../src/base/errors.ts";
import { printable, printableLines } from "../../src/base/printable.ts";

const hostile = {
  "an escape sequence": "\u001b[31mred",
  "its one-character form": "\u009b2J",
  "a line break": "a\nb",
  "a return": "a\rb",
  "a backspace": "a\bb",
  "a line separator": "a\u2028b\u2029c",
  "text turned around": "a\u202eb\u2066c\u200f\u061c",
  "what is not seen": "a\u200bb\ufeffc\u2060",
  "half of a surrogate pair": "a\ud800b",
};

test.each(Object.entries(hostile))("%s is shown as escapes, which JSON reads as what it was", (_, text) => {
  const shown = printable(text);
  expect(shown).toMatch(/^[ -~]*$/);
  expect(JSON.parse(`"${shown}"`)).toBe(text);
  expect(printable(shown)).toBe(shown);
});

test("letters of any script, and whole pairs, are left alone", () => {
  const text = "größe 重み وزن 😀 — “x” e\u0301 a\u200db";
  expect(printable(text)).toBe(text);
});

test("text with lines of its own keeps them, and nothing else", () => {
  expect(printableLines("a\n\tb\r\u001b[0m")).toBe("a\n\tb\\u000d\\u001b[0m");
});

test.each([FileError, SafetensorsError, CheckpointError])(
  "what %o quotes reaches no terminal, nor its cause",
  (kind) => {
    const cause = new SyntaxError(`Unexpected token "\u001b[2J\n" is not valid JSON`);
    const error = new kind("The tensor \u001b[31m\u009b\u202e is broken", { cause });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none is what is tested.
    expect(inspect(error)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(error.message).toContain("\\u001b[31m\\u009b\\u202e");
    expect(String(error.cause)).toContain("SyntaxError: Unexpected token");
  },
);

test("an error about a file has one line, and a cause that says nothing unsafe stays what it is", () => {
  expect(new SafetensorsError("a\nb").message).toBe("a\\u000ab");
  const cause = new Error("plain");
  expect(new FileError("x", { cause }).cause).toBe(cause);
});
