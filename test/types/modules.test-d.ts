import { freeze, select } from "thaw/freeze";
import * as nn from "thaw/nn";
import { Parameter, type Tensor, zeros } from "thaw/tensor";

/** Kinds of modules, as types of paths see them. Checked by the compiler alone. */

declare const anyModule: nn.Module;
declare const anyLayer: nn.Layer;

// Nothing is known but that it is a module: anything goes.
select(anyModule, "any.path.at.all");
select(anyLayer, ["any.**", "!path"]);

class Tied extends nn.Module {
  embedding = new nn.Embedding(10, 4);
  head = new nn.Linear(4, 10, { bias: false });
  constructor() {
    super();
    this.head.weight = this.embedding.weight;
  }
}
select(new Tied(), ["embedding.weight", "head.weight"]);

class Base extends nn.Module {
  first = new nn.Linear(2, 2);
  gain = new Parameter(zeros([2]));
}
class Derived extends Base {
  second = new nn.Linear(2, 2);
}
select(new Derived(), ["first.**", "second.**", "gain"]);
// @ts-expect-error: the other class has it
select(new Base(), "second.**");

class Row extends nn.Sequential<[nn.Linear, nn.ReLU]> {
  last = new nn.Linear(2, 2);
}
declare const row: Row;
select(row, ["0.weight", "last.**", "*.bias"]);
// @ts-expect-error: ReLU has no weight
select(row, "1.weight");

class Heads extends nn.ModuleDict<{ a: nn.Linear }> {}
declare const heads: Heads;
select(heads, ["a.weight", "**.bias"]);
// @ts-expect-error: nothing of that name
select(heads, "b.weight");

class Stack extends nn.ModuleList<Base> {}
declare const stack: Stack;
select(stack, ["3.first.weight", "{0,1}.gain"]);
// @ts-expect-error: its items have no such parameter
select(stack, "3.second.weight");

// Containers of what is not known.
class Open extends nn.Module {
  body: nn.Layer = new nn.Linear(2, 2);
  layers: nn.Layer[] = [];
  row: nn.Sequential = new nn.Sequential();
  dict: nn.ModuleDict = new nn.ModuleDict();
  known = new nn.Linear(2, 2);
  act = new nn.ReLU();
}
select(new Open(), [
  "body.weight",
  "layers.0.weight",
  "row.1.x.y",
  "dict.train.weight",
  "dict.*.**",
  "**.any",
]);
// @ts-expect-error: here all is known
select(new Open(), "known.wieght");
// @ts-expect-error: and here that there is nothing
select(new Open(), "act.weight");

class Keyed extends nn.Module {
  heads = new nn.ModuleDict({ train: new nn.Linear(1, 1), "task 1": new nn.Linear(1, 1) });
}
select(new Keyed(), ["heads.train.weight", "heads.task 1.**"]);

class Wrapped<H extends nn.Module> extends nn.Module {
  readonly head: H;
  body = new nn.Linear(1, 1);
  constructor(head: H) {
    super();
    this.head = head;
  }
  freezeBody(): void {
    freeze(this, ["body.**", "!**.bias"]);
    freeze(this.head, "**.weight");
  }
}
const wrapped = new Wrapped(new Base());
select(wrapped, ["head.first.weight", "body.bias", "head.gain"]);
// @ts-expect-error: not in this head
select(wrapped, "head.second.weight");

class Tree extends nn.Module {
  left: Tree | null = null;
  right: Tree | null = null;
  leaf = new nn.Linear(1, 1);
}
select(new Tree(), ["left.right.left.left.right.left.right.left.right.leaf.weight", "**.leaf.bias"]);
// @ts-expect-error: at no depth
select(new Tree(), "left.right.left.wieght");
// @ts-expect-error: anywhere
select(new Tree(), "**.wieght");

/** Deeper than lists of paths go. */
class Deep extends nn.Module {
  a = new Deep1();
}
class Deep1 extends nn.Module {
  b = { c: 1 };
  d = [[[[[[[new Base()]]]]]]];
}
select(new Deep(), ["a.d.0.0.0.0.0.0.0.first.weight", "a.**.gain"]);
// @ts-expect-error: no such parameter there
select(new Deep(), "a.d.0.0.0.0.0.0.0.first.wieght");

class Secret extends nn.Module {
  private readonly inner = new nn.Linear(1, 1);
  forward(x: Tensor): Tensor {
    return this.inner.forward(x);
  }
}
class WithSecret extends nn.Module {
  secret = new Secret();
}
// Its parameters are there, if not to be seen.
select(new WithSecret(), "secret.**");
// @ts-expect-error: what is private to TypeScript is not seen by its types
select(new WithSecret(), "secret.inner.weight");
select(new WithSecret(), "secret.inner.weight" as string);

/** Where the class is a type parameter nothing is known of it, and nothing refused. */
export function generic<M extends Base, N extends nn.Module>(base: M, other: N): void {
  freeze(base, "first.**");
  freeze(other, ["**.weight[3:]", "!**.bias"]);
}
