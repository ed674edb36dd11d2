import * as thaw from "thaw";
import ts from "typescript";
import { expect, test } from "vitest";
import { checkLayerDocs, layerDocs } from "../../scripts/layer-docs.ts";
import { readSources } from "../../scripts/sources.ts";
import { commit } from "../../src/engine/index.ts";

const docs = layerDocs(readSources());

/** Runs the code of an example, in which everything that thaw exports has its name; an expression's value is given. */
function run(code: string): unknown {
  const target = ts.ScriptTarget.ES2022;
  const body = code.includes("\n")
    ? `return ${ts.transpileModule(`(() => {${code}})`, { compilerOptions: { target } }).outputText.trim().replace(/;$/, "")}()`
    : `return (${code})`;
  return new Function(...Object.keys(thaw), body)(...Object.values(thaw));
}

test("every class of thaw/nn is looked at", () => {
  const classes = Object.entries(thaw.nn).flatMap(([name, value]) =>
    typeof value === "function" && /^class\b/.test(String(value)) ? [name] : [],
  );
  expect(docs.map(({ name }) => name).sort()).toEqual(classes.sort());
});

test("every class has the whole block", () => {
  expect(checkLayerDocs(docs)).toEqual([]);
});

test("every example runs, and gives a value", () => {
  const made: [string, thaw.Tensor][] = [];
  const failures: string[] = [];
  for (const { name, example } of docs) {
    try {
      const value = run(example ?? "undefined");
      for (const one of [value].flat()) if (one instanceof thaw.Tensor) made.push([name, one.keep()]);
      if (value === undefined || value === null) failures.push(`${name}: no value`);
    } catch (error) {
      failures.push(`${name}: ${error}`);
    }
  }
  // One step computes them all.
  commit();
  for (const [name, tensor] of made)
    if (tensor.dataSync().some(Number.isNaN)) failures.push(`${name}: NaN in its result`);
  expect(failures).toEqual([]);
  expect(made.length).toBeGreaterThan(80);
});

test.each([
  ["the first sentence", "What it is.\n *\n * ", ""],
  ["its arguments", "Takes x of any shape; ", ""],
  ["its output", "gives its shape", "done"],
  ["its errors", " * Throws `ShapeError` for a scalar.\n", ""],
  ["its source", "Source: `torch.nn.A`.", ""],
  ["its example", "Example: `new nn.A(1).forward(x)`.", "Example: none."],
  ["an argument of the constructor", " `size` is a number.", ""],
  ["an option", " `bias` too.", ""],
])("a class without %s in its block is named", (_, part, instead) => {
  const block =
    "/**\n * What it is.\n *\n * Takes x of any shape; gives its shape. `size` is a number. `bias` too.\n" +
    " * Throws `ShapeError` for a scalar.\n * Source: `torch.nn.A`. Example: `new nn.A(1).forward(x)`.\n */\n";
  const code =
    "export class A {\n  constructor(size: number, { bias = true }: { bias?: boolean } = {}) {}\n}\n";
  const check = (text: string) =>
    checkLayerDocs(
      layerDocs(
        new Map([
          ["nn/index.ts", 'export * from "./more/index.ts";'],
          ["nn/more/index.ts", 'export { A } from "./a.ts";'],
          ["nn/more/a.ts", text + code],
        ]),
      ),
    );
  expect(check(block)).toEqual([]);
  expect(check(block.replace(part, instead))).toHaveLength(1);
});

test("what a class inherits its constructor from says what its arguments are", () => {
  const of = (text: string) =>
    checkLayerDocs(
      layerDocs(
        new Map([
          ["nn/index.ts", 'export { A } from "./a.ts";'],
          ["nn/a.ts", `import { B } from "./b.ts";\n${text}export class A extends B {}\n`],
          ["nn/b.ts", "export class B {\n  constructor(size: number) {}\n}\n"],
        ]),
      ),
    );
  const block = (more: string) =>
    `/** What it is. Takes nothing${more}; gives nothing. Throws nothing. Source: here. Example: \`1\`. */\n`;
  expect(of(block(" but a size"))).toEqual([]);
  expect(of(block(""))).toEqual([expect.stringContaining("a word about its argument size")]);
});
