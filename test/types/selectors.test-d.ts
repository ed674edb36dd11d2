import {
  elements,
  freeze,
  type ModulePath,
  module,
  type ParameterPath,
  type PathGlob,
  rows,
  type Selector,
  select,
  unfreeze,
} from "thaw/freeze";
import * as nn from "thaw/nn";
import type { Parameter, Tensor } from "thaw/tensor";

/** Checked by the compiler alone: every line compiles, but those after `@ts-expect-error`, which must not. */

class Block extends nn.Module {
  norm = new nn.LayerNorm(4);
  fc = new nn.Linear(4, 4);
}

class Network extends nn.Module {
  embedding = new nn.Embedding(50, 4);
  hiddenTask1 = new nn.Linear(3, 3);
  blocks = [new Block(), new Block()];
  list = new nn.ModuleList([new Block()]);
  heads = new nn.ModuleDict({ a: new nn.Linear(1, 1), b: new Block() });
  row = new nn.Sequential(new nn.Linear(1, 1), new nn.ReLU());
  pair = [new nn.Linear(1, 1), new Block()] as const;
  nested = [[new Block()]];
  bn = new nn.BatchNorm1d(4);
  scale: Parameter | null = null;
  extra?: nn.Linear;
  either: nn.Linear | nn.Identity = new nn.Identity();
  rate = 0.5;
  config = { frozen: true };
  words = ["a", "b"];
  // biome-ignore lint/suspicious/noExplicitAny: what is any is not walked.
  anything: any = null;
  readonly #hidden = new nn.Linear(1, 1);
  forward(x: Tensor): Tensor {
    return this.#hidden.forward(x);
  }
}

const net = new Network();
declare const text: string;
declare const texts: string[];
declare const selector: Selector;
declare const i: number;
declare const task: "hiddenTask1" | "embedding";
declare const wrongTask: "hiddenTask1" | "hiddenTask2";

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
const _linear: Same<ParameterPath<nn.Linear>, "weight" | "bias"> = true;
const _block: Same<ParameterPath<Block>, "norm.weight" | "norm.bias" | "fc.weight" | "fc.bias"> = true;
const _modules: Same<ModulePath<Block>, "norm" | "fc"> = true;
const _globs: Same<PathGlob<Block>, ParameterPath<Block> | "**" | "norm.**" | "fc.**"> = true;
const _unknown: Same<ParameterPath<nn.Module>, string> = true;

// Paths.
select(net, "hiddenTask1.weight");
select(net, "scale");
select(net, "extra.bias");
select(net, "either.weight");
select(net, "blocks.0.fc.weight");
select(net, "nested.0.1.fc.weight");
select(net, "pair.1.norm.bias");
select(net, "list.3.norm.bias");
select(net, "heads.b.fc.weight");
select(net, "row.0.weight");
// @ts-expect-error: no such parameter
select(net, "hiddenTask1.wieght");
// @ts-expect-error: no such module
select(net, "hiddenTask2.weight");
// @ts-expect-error: ReLU has no weight
select(net, "row.1.weight");
// @ts-expect-error: only two in the row
select(net, "row.2.weight");
// @ts-expect-error: the first of the pair is a Linear
select(net, "pair.0.norm.bias");
// @ts-expect-error: nothing of that name in the dictionary
select(net, "heads.c.weight");
// @ts-expect-error: an array's items have numbers
select(net, "blocks.first.fc.weight");
// @ts-expect-error: an array of arrays
select(net, "nested.0.fc.weight");
// @ts-expect-error: neither a parameter nor a module
select(net, "rate");
// @ts-expect-error: a plain object, whatever its fields are called
select(net, "config");
// @ts-expect-error: strings
select(net, "words.0");
// @ts-expect-error: a module's parameters are "hiddenTask1.**"
select(net, "hiddenTask1");
// @ts-expect-error: walking does not see # fields
select(net, "hidden.weight");
// @ts-expect-error: nor when they are called by their name
select(net, "#hidden.weight");
// @ts-expect-error: a buffer is not trained
select(net, "bn.runningMean");

// Globs, braces, exclusions.
freeze(net, "**");
freeze(net, ["hiddenTask1.**", "!**.bias"]);
freeze(net, "blocks.{0,1}.**", () => 1);
freeze(net, "{blocks,list}.*.{norm,fc}.weight");
freeze(net, "{hiddenTask1,heads.{a,b.fc}}.bias");
freeze(net, "**.norm.**");
freeze(net, "blocks.*.fc.*");
freeze(net, "hidden*.**");
freeze(net, "*.*ight");
freeze(net, "list.**.bias");
unfreeze(net, text === "" ? "hiddenTask1.**" : "heads.a.*");
// @ts-expect-error: no such module
freeze(net, "hidden.**");
// @ts-expect-error: no parameter is called so anywhere
freeze(net, "**.gain");
// @ts-expect-error: nothing begins so
freeze(net, "hiden*.**");
// @ts-expect-error: neither of the two
freeze(net, "{hidden,output}.**");
// @ts-expect-error: `*` is one segment
freeze(net, "list.*.weight");
// @ts-expect-error: one entry of the array names nothing
freeze(net, ["hiddenTask1.**", "hidden.**"]);
// @ts-expect-error: nor one of an array inside
freeze(net, ["hiddenTask1.**", ["hidden.**"]]);
// @ts-expect-error: an exclusion that names nothing
freeze(net, ["hiddenTask1.**", "!hidden.**"], () => 1);

// Some of a parameter.
freeze(net, "embedding.weight[32:]");
freeze(net, ["**.weight[:2]", "!embedding.weight[[1, 5, 9]]"]);
freeze(net, `embedding.weight[${i}:]`);
freeze(net, [rows("embedding.weight", [1, 2]), elements("hiddenTask1.**", [true, false])]);
freeze(net, rows(net.embedding, texts.map(Number)));
freeze(net, rows(["embedding.weight", "hiddenTask1.weight"], [1]));
// @ts-expect-error: no such parameter
freeze(net, "embeding.weight[32:]");
// @ts-expect-error: the bracket does not close
freeze(net, "embedding.weight[32:");
// @ts-expect-error: an exclusion of some of nothing
freeze(net, "!embedding.wieght[0]");
// @ts-expect-error: rows of nothing
freeze(net, rows("embeding.weight", [1]));
// @ts-expect-error: elements of nothing, in an array
freeze(net, ["**", elements("hidden.weight", [true])]);

// Modules.
freeze(net, module("bn"));
freeze(net, ["hiddenTask1.**", module("heads.b.norm", { mode: "eval" }), module("**.n*")]);
freeze(net, module(net.bn));
freeze(net, module(text));
// @ts-expect-error: no such module
freeze(net, module("bm"));
// @ts-expect-error: a parameter
freeze(net, module("bn.weight"));
// @ts-expect-error: no such module, in an array
freeze(net, ["**", module("heads.c")]);

// What is known only as the program runs.
select(net, text);
select(net, texts);
select(net, selector);
select(net, `${task}.**`);
select(net, [`${task}.weight`, "!**.bias"]);
select(net, `blocks.${i}.fc.weight`);
select(net, `${text}.weight`);
select(net, `hidden${text}.weight`);
// @ts-expect-error: one of the two tasks has no module
select(net, `${wrongTask}.**`);
// @ts-expect-error: whatever the number is
select(net, `blocks.${i}.fc.wieght`);

// What is not a path.
select(net, [net.blocks[0]!, /norm/, (path) => path.endsWith("bias"), "row.0.bias"]);
select(net, (path, parameter) => path === "" || parameter.frozen);
select(net, net.hiddenTask1.weight);
// @ts-expect-error: no selector
select(net, 5);

const _result: number = freeze(net, "**", () => 1);
const trained: PathGlob<Network>[] = ["hiddenTask1.**", "list.*.fc.weight"];
select(net, trained);

export { _block, _globs, _linear, _modules, _result, _unknown };
