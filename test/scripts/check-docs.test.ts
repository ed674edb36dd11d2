import { expect, test } from "vitest";
import { checkDocs } from "../../scripts/check-docs.ts";

const check = (text: string) => checkDocs(new Map([["nn/a.ts", text]]));

test.each([
  ["function", "export function a() {}"],
  ["async function", "export async function a() {}"],
  ["class", "export class a {}"],
  ["abstract class", "export abstract class a {}"],
  ["interface", "export interface a {}"],
  ["type", "export type a = number;"],
  ["constant", "export const a = 1;"],
  ["destructured constant", "export const { b: [a] } = c;"],
  ["name exported below", "const a = 1;\nexport { a };"],
  ["name exported below under another", "function a() {}\nexport { a as b };"],
  ["default by name", "class a {}\nexport default a;"],
])("an exported %s needs a docstring", (_, text) => {
  expect(check(text)).toEqual(["src/nn/a.ts:1: a is exported without a docstring"]);
  expect(check(`/** What it is. */\n${text}`)).toEqual([]);
});

test("a default export without a name needs one too", () => {
  for (const text of ["export default function () {}", "export default { a: 1 };"]) {
    expect(check(text)).toEqual(["src/nn/a.ts:1: default is exported without a docstring"]);
    expect(check(`/** What it is. */\n${text}`)).toEqual([]);
  }
});

test.each([
  ["line comment", "// What it is.\n"],
  ["plain block comment", "/* What it is. */\n"],
  ["empty docstring", "/** */\n"],
  ["docstring of tags alone", "/** @internal */\n"],
])("a %s is none", (_, comment) => {
  expect(check(`${comment}export const a = 1;`)).toHaveLength(1);
});

test("every declaration is reported, with its line", () => {
  expect(check("/** Documented. */\nexport const a = 1;\n\nexport const b = 2, c = 3;\n")).toEqual([
    "src/nn/a.ts:4: b is exported without a docstring",
    "src/nn/a.ts:4: c is exported without a docstring",
  ]);
});

test("one docstring serves all overloads", () => {
  const overloads = "export function a(x: number): void;\nexport function a(x: unknown): void {}";
  expect(check(`/** What it is. */\n${overloads}`)).toEqual([]);
  expect(check(overloads)).toHaveLength(1);
});

test("what is not exported, and what is exported from elsewhere, needs none here", () => {
  expect(check('function a() {}\nexport * from "./b.ts";\nexport { c } from "./c.ts";')).toEqual([]);
});
