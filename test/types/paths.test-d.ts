import { freeze, rows, select } from "thaw/freeze";
import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import type { Buffer, Parameter, Tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";

/** Paths of single things, and what they lead to. Checked by the compiler alone. */

class Block extends nn.Module {
  linear = new nn.Linear(4, 4);
  norm = new nn.BatchNorm1d(4);
  forward(x: Tensor): Tensor {
    return this.norm.forward(this.linear.forward(x));
  }
}
class Net extends nn.Module {
  first = new nn.Linear(3, 4);
  blocks = [new Block()];
  list = new nn.ModuleList([new Block()]);
  row = new nn.Sequential(new nn.ReLU(), new nn.Linear(4, 4));
  heads = new nn.ModuleDict({ a: new nn.Linear(4, 2) });
  any: nn.Layer = new nn.Linear(4, 4);
}
declare const net: Net;
declare const anyModule: nn.Module;
declare const text: string;

const _self: Net = net.getSubmodule("");
const _first: nn.Linear = net.getSubmodule("first");
const _norm: nn.BatchNorm1d = net.getSubmodule("blocks.3.norm");
const _item: Block = net.getSubmodule("list.0");
const _second: nn.Linear = net.getSubmodule("row.1");
const _head: nn.Linear = net.getSubmodule("heads.a");
const _weight: Parameter = net.getParameter("blocks.0.linear.weight");
const _mean: Buffer = net.getBuffer("list.1.norm.runningMean");
const _unknown: nn.Module = net.getSubmodule(text);
const _inAny: nn.Module = anyModule.getSubmodule("what.ever");
const _ofAny: Parameter = anyModule.getParameter("what.ever");
const _belowAny: Parameter = net.getParameter("any.weight");
const _numbered = (n: number): Block => net.getSubmodule(`blocks.${n}`);

// @ts-expect-error: no such module
net.getSubmodule("frist");
// @ts-expect-error: a parameter
net.getSubmodule("first.weight");
// @ts-expect-error: an array of modules
net.getSubmodule("blocks");
// @ts-expect-error: a glob
net.getSubmodule("blocks.*");
// @ts-expect-error: a module
net.getParameter("first");
// @ts-expect-error: a buffer
net.getParameter("blocks.0.norm.runningMean");
// @ts-expect-error: some of a parameter
net.getParameter("first.weight[2:]");
// @ts-expect-error: a parameter
net.getBuffer("first.weight");
// @ts-expect-error: another class
const _wrong: nn.Embedding = net.getSubmodule("first");

class Adapted extends nn.Module {
  base = new nn.Linear(3, 4);
  down = new nn.Linear(3, 1, { bias: false });
  forward(x: Tensor): Tensor {
    return this.base.forward(x);
  }
}
class Pair extends nn.Module {
  forward(a: Tensor, b: Tensor): Tensor {
    return a.add(b);
  }
}

// What is known of the place is known of what has been put there.
const adapted = net.setSubmodule("first", new Adapted());
const _down: nn.Linear = adapted.first.down;
const _deep: nn.Linear = adapted.getSubmodule("first.down");
const _still: Net = adapted;
const _typed: nn.Linear = net.setSubmodule("any", new nn.Linear(2, 2)).any;
net.setSubmodule("list.0.linear", new nn.Linear(4, 4));
net.setSubmodule("row.1", new Adapted());
net.setSubmodule(text, new Pair());
anyModule.setSubmodule("what.ever", new Pair());
// @ts-expect-error: it is called with one tensor
net.setSubmodule("first", new Pair());
// @ts-expect-error: no forward pass
net.setSubmodule("blocks.0", new nn.ModuleList());
// @ts-expect-error: no such module
net.setSubmodule("frist", new nn.Linear(3, 4));
// @ts-expect-error: no module
net.setSubmodule("first", (x: Tensor) => x);

const _copy: Net = net.clone();
const _cast: Net = net.to("bf16");

const _result: Tensor = nn.functionalCall(
  new Block(),
  { "linear.weight": net.first.weight },
  net.first.weight,
);
// @ts-expect-error: forward takes a tensor
nn.functionalCall(new Block(), {}, "x");

net.first.registerForwardHook((module, [x], output) => {
  const _parts: [nn.Linear, Tensor, Tensor] = [module, x, output];
  return output.mul(2);
});
net.first.registerForwardPreHook((_, [x]) => [x.mul(2)]);
net.first.registerForwardPreHook((_, [x]) => x.mul(2));
net.first.registerForwardPreHook(() => {});
// @ts-expect-error: forward gives a tensor
net.first.registerForwardHook(() => 3);

/** Inside a class, where it is a type parameter. */
export class Inside extends nn.Module {
  head = new nn.Linear(2, 2);
  protected rename(): Parameter {
    return this.getParameter("head.weight");
  }
}

// What can be frozen are buffers too; what can be trained are not.
freeze(net, "blocks.0.norm.runningMean[2:]");
freeze(net, ["first.**", "**.runningVar", rows("list.0.norm.runningMean", [1])]);
freeze(net, net.getBuffer("list.0.norm.runningMean"));
// @ts-expect-error: no such buffer
freeze(net, "blocks.0.norm.runningMaen");
// @ts-expect-error: a buffer
select(net, "blocks.0.norm.runningMean");
const optimizer = new SGD(net, { lr: 0.1 });
const loss = (): Tensor => net.first.weight.sum();
trainStep(optimizer, { loss, trains: "first.**", freezes: "blocks.*.norm.runningMean" });
// @ts-expect-error: a buffer
trainStep(optimizer, { loss, trains: "blocks.0.norm.runningMean" });
trainStep(optimizer, {
  loss,
  trains: "**",
  gradients: (path, g) => (path === "first.weight" ? g.mul(2) : null),
});
// @ts-expect-error: no gradient
trainStep(optimizer, { loss, trains: "**", gradients: () => 2 });
