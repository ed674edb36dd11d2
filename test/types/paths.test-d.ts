import { freeze, type ModulePath, type ParameterPath, type Selector, select, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import type { Parameter, Tensor } from "thaw/tensor";

/** Checked by the compiler alone: every line compiles, but those after `@ts-expect-error`, which must not. */

class Block extends nn.Module {
  norm = new nn.LayerNorm(4);
  fc = new nn.Linear(4, 4);
}

class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3);
  blocks = [new Block(), new Block()];
  list = new nn.ModuleList([new Block()]);
  heads = new nn.ModuleDict({ a: new nn.Linear(1, 1), b: new Block() });
  row = new nn.Sequential(new nn.Linear(1, 1), new nn.ReLU());
  scale: Parameter | null = null;
  rate = 0.5;
  forward(x: Tensor): Tensor {
    return x;
  }
}

const net = new Network();
declare const anyModule: nn.Module;
declare const text: string;
declare const texts: string[];
declare const selector: Selector;

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
const _linear: Same<ParameterPath<nn.Linear>, "weight" | "bias"> = true;
const _block: Same<ParameterPath<Block>, "norm.weight" | "norm.bias" | "fc.weight" | "fc.bias"> = true;
const _modules: Same<ModulePath<Block>, "norm" | "fc"> = true;
const _unknown: Same<ParameterPath<nn.Module>, string> = true;

// Paths.
select(net, "hiddenTask1.weight");
select(net, "scale");
select(net, "blocks.0.fc.weight");
select(net, "list.3.norm.bias");
select(net, "heads.b.fc.weight");
select(net, "row.0.weight");
// @ts-expect-error: no such parameter
select(net, "hiddenTask1.wieght");
// @ts-expect-error: no such module
select(net, "hiddenTask2.weight");
// @ts-expect-error: ReLU has no weight
select(net, "row.1.weight");
// @ts-expect-error: nothing of that name in the dictionary
select(net, "heads.c.weight");
// @ts-expect-error: an array's items have numbers
select(net, "blocks.first.fc.weight");
// @ts-expect-error: neither a parameter nor a module
select(net, "rate");
// @ts-expect-error: a module's parameters are "hiddenTask1.**"
select(net, "hiddenTask1");

// Globs and exclusions.
freeze(net, "**");
freeze(net, ["hiddenTask1.**", "!**.bias"]);
freeze(net, "blocks.{0,1}.**", () => 1);
freeze(net, "**.norm.**");
freeze(net, "blocks.*.fc.*");
unfreeze(net, text === "" ? "hiddenTask1.**" : "heads.a.*");
// @ts-expect-error: no such module
freeze(net, "hidden.**");
// @ts-expect-error: no parameter is called so anywhere
freeze(net, "**.gain");
// @ts-expect-error: one entry of the array names nothing
freeze(net, ["hiddenTask1.**", "hidden.**"]);
// @ts-expect-error: an exclusion that names nothing
freeze(net, ["hiddenTask1.**", "!hidden.**"], () => 1);

// What is not a path, and what is known only as the program runs.
select(net, [net.blocks[0]!, /norm/, (path) => path.endsWith("bias"), "row.0.bias"]);
select(net, text);
select(net, texts);
select(net, selector);
select(anyModule, "any.path.at.all");
const _result: number = freeze(net, "**", () => 1);

export { _block, _linear, _modules, _result, _unknown };
