import { expect, test } from "vitest";
import { check } from "./compiler.ts";

/**
 * What checked selectors cost the compiler, on models of 24 layers: types instantiated beside those for the same lines
 * where the model's class is not known. That number is the same in every run, as time is not.
 */

const layer = (n: number | "") => `
class Attention${n} extends nn.Module {
  q = new nn.Linear(8, 8);
  k = new nn.Linear(8, 8);
  v = new nn.Linear(8, 8);
  out = new nn.Linear(8, 8);
}
class Mlp${n} extends nn.Module {
  up = new nn.Linear(8, 32);
  act = new nn.GELU();
  down = new nn.Linear(32, 8);
}
class Block${n} extends nn.Module {
  norm1 = new nn.LayerNorm(8);
  attn = new Attention${n}();
  norm2 = new nn.LayerNorm(8);
  mlp = new Mlp${n}();
}
`;
const numbers = Array.from({ length: 24 }, (_, i) => i);

/** The declarations of blocks, the fields that hold them, and the path of the block with a number, or of all. */
const models = {
  list: {
    classes: layer(""),
    fields: "block = new nn.ModuleList(Array.from({ length: 24 }, () => new Block()));",
    block: (n: number | "*") => `block.${n}`,
  },
  fields: {
    classes: layer(""),
    fields: numbers.map((n) => `block${n} = new Block();`).join("\n"),
    block: (n: number | "*") => `block${n}`,
  },
  "fields, each of a class of its own": {
    classes: numbers.map(layer).join(""),
    fields: numbers.map((n) => `block${n} = new Block${n}();`).join("\n"),
    block: (n: number | "*") => `block${n}`,
  },
};

const selectors = (block: (n: number | "*") => string) => `
freeze(net, "${block(23)}.**");
freeze(net, ["**", "!**.bias"]);
freeze(net, "${block(0)}.attn.{q,k,v}.weight");
freeze(net, "embedding.weight[32000:]");
freeze(net, ["head.**", "${block("*")}.mlp.**", "${block(3)}.norm1.weight"]);
freeze(net, "**.norm2.**", () => 1);
trainStep(optimizer, { loss, trains: ["head.**", "${block(23)}.**"] });
trainStep(optimizer, { loss, trains: (task) => ["head.**", task === "a" ? "${block(1)}.**" : "${block(2)}.**"] });
trainStep(optimizer, { loss, trains: "**.attn.**" });
trainStep(optimizer, { loss, trains: ["!embedding.weight[:100]", "!**.norm1.*"] });
`;

/** Checks a program with a model, whose class is known or not, the lines above, and some more. */
function compile(model: keyof typeof models, known: boolean, more = ""): ReturnType<typeof check> {
  const { classes, fields, block } = models[model];
  return check(`
import { nn, optim, type Tensor, trainStep } from "thaw";
import { freeze } from "thaw/freeze";
${classes}
class Model extends nn.Module {
  embedding = new nn.Embedding(50000, 8);
  ${fields}
  norm = new nn.LayerNorm(8);
  head = new nn.Linear(8, 4);
}
const net${known ? "" : ": nn.Module"} = new Model();
declare const loss: (task: "a" | "b", x: Tensor) => Tensor;
const optimizer = new optim.AdamW(net);
${selectors(block)}${more}`);
}

function costOf(...program: Parameters<typeof compile>): number {
  const { messages, instantiations } = compile(...program);
  expect(messages).toEqual([]);
  return instantiations;
}

test.each([
  ["list", 10_000],
  ["fields", 10_000],
  ["fields, each of a class of its own", 40_000],
] as const)("24 layers in %s: ten lines cost at most %i instantiations", (model, most) => {
  expect(costOf(model, true) - costOf(model, false)).toBeLessThan(most);
});

test("another line costs next to nothing", () => {
  const lines =
    'freeze(net, "block7.mlp.up.weight");\ntrainStep(optimizer, { loss, trains: ["block9.norm1.**"] });';
  expect(costOf("fields", true, lines) - costOf("fields", true)).toBeLessThan(1500);
});

test("every line is checked", () => {
  const wrong = (text: string): string => `freeze(net, "${text}");`;
  const { messages } = compile(
    "fields",
    true,
    wrong("block24.**") + wrong("**.norm3.**") + wrong("head.*.weight"),
  );
  expect(messages).toHaveLength(3);
});
