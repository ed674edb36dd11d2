import * as nn from "thaw/nn";
import { Buffer, capture, fromArray, ones, Parameter, type Tensor, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, StateDictError } from "../../src/base/errors.ts";
import { stateEpoch } from "../../src/engine/cell.ts";
import { commit } from "../../src/engine/realize.ts";

class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  scale = new Parameter(ones([3]));
  blocks = [new nn.Linear(3, 3), new nn.LayerNorm(3)];
  running = new Buffer(zeros([3]));
  scratch = new Buffer(zeros([1]), { persistent: false });
  rate = 0.5;
  names = ["one", "two"];
  output = new nn.Linear(3, 4, { bias: false });
}

const paths = (module: nn.Module): string[] => module.namedParameters().map(([path]) => path);

describe("walking", () => {
  test("finds parameters in fields and arrays, a module's own before those inside it, in order of declaration", () => {
    expect(paths(new Network())).toEqual([
      "scale",
      "hiddenTask1.weight",
      "blocks.0.weight",
      "blocks.0.bias",
      "blocks.1.weight",
      "blocks.1.bias",
      "output.weight",
    ]);
  });

  test("finds modules, children and buffers", () => {
    const net = new Network();
    expect(net.namedModules().map(([path]) => path)).toEqual([
      "",
      "hiddenTask1",
      "blocks.0",
      "blocks.1",
      "output",
    ]);
    expect(net.children()).toEqual([net.hiddenTask1, ...net.blocks, net.output]);
    expect(net.namedBuffers().map(([path]) => path)).toEqual(["running", "scratch"]);
    expect(net.buffers()).toEqual([net.running, net.scratch]);
  });

  test("sees what has replaced a field, made before or after the last walk", () => {
    const net = new nn.Sequential(new nn.Identity());
    class Holder extends nn.Module {
      inner: nn.Module = net;
    }
    const spare = new nn.Linear(1, 1);
    const holder = new Holder();
    expect(paths(holder)).toEqual([]);
    holder.inner = spare;
    expect(paths(holder)).toEqual(["inner.weight", "inner.bias"]);
  });

  test("gives one tree of parameters for as long as nothing below has changed", () => {
    const net = new Network();
    const tree = net.parameterTree();
    expect(tree.once).toEqual(net.namedParameters());
    expect(tree.paths).toEqual(net.namedParameters({ removeDuplicate: false }));
    net.rate = 0.1;
    net.eval();
    expect(net.parameterTree()).toBe(tree);
    const { weight } = net.output;
    for (const change of [
      () => (net.output.weight = net.hiddenTask1.weight),
      () => (net.output.weight = weight),
      () => net.blocks.reverse(),
      () => net.blocks.pop(),
      () => Object.assign(net, { another: net.blocks[0] }),
    ]) {
      const before = net.parameterTree();
      change();
      expect(net.parameterTree()).not.toBe(before);
      expect(net.parameterTree().paths).toEqual(net.namedParameters({ removeDuplicate: false }));
    }
    expect(net.parameterTree().paths.map(([path]) => path)).toContain("another.weight");
  });

  test("gives a tied weight once under its first path, or under all of them", () => {
    class Tied extends nn.Module {
      embedding = new nn.Embedding(5, 3);
      output = new nn.Linear(3, 5, { bias: false });
      again = this.embedding;
      constructor() {
        super();
        this.output.weight = this.embedding.weight;
      }
    }
    const net = new Tied();
    expect(paths(net)).toEqual(["embedding.weight"]);
    expect(net.parameters()).toEqual([net.embedding.weight]);
    const all = net.namedParameters({ removeDuplicate: false });
    expect(all.map(([path]) => path)).toEqual(["embedding.weight", "output.weight", "again.weight"]);
    expect(new Set(all.map(([, p]) => p)).size).toBe(1);
    expect([...net.stateDict().keys()]).toEqual(["embedding.weight", "output.weight", "again.weight"]);
  });

  test("ends where a module holds the one above it", () => {
    class Child extends nn.Module {
      parent: nn.Module | null = null;
      weight = new Parameter(ones([1]));
    }
    class Root extends nn.Module {
      child = new Child();
    }
    const root = new Root();
    root.child.parent = root;
    expect(paths(root)).toEqual(["child.weight"]);
    expect(root.namedParameters({ removeDuplicate: false }).map(([path]) => path)).toEqual(["child.weight"]);
  });

  test("refuses modules where it would not find them", () => {
    class Plain extends nn.Module {
      heads = { a: new nn.Linear(1, 1) };
    }
    expect(() => new Plain().parameters()).toThrow(ArgumentError);
    expect(() => new Plain().parameters()).toThrow(/Plain\.heads is a plain object .* nn\.ModuleDict/);
    class Mapped extends nn.Module {
      heads = new Map([["a", new nn.Linear(1, 1)]]);
    }
    expect(() => new Mapped().parameters()).toThrow(/Mapped\.heads is a Map/);
  });

  test("refuses two members of one path, of which a file would hold one", () => {
    class Dotted extends nn.Module {
      "a.weight" = new Parameter(ones([1]));
      a = new nn.Linear(1, 1);
    }
    const dotted = new Dotted();
    for (const walk of [() => dotted.stateDict(), () => dotted.namedParameters()])
      expect(walk).toThrow(/Dotted: "a.weight" is the path of two members.*another name/);
    delete (dotted as { a?: nn.Linear }).a;
    expect(paths(dotted)).toEqual(["a.weight"]);
  });

  test("names values by their path from the outermost module they were named from", () => {
    const net = new Network();
    net.parameters();
    net.hiddenTask1.parameters();
    expect(net.hiddenTask1.weight.label).toBe("hiddenTask1.weight");
    const outer = new nn.Sequential(new nn.Identity(), new nn.Linear(1, 1));
    outer.at(1).parameters();
    outer.parameters();
    expect((outer.at(1) as nn.Linear).weight.label).toBe("1.weight");
  });

  test("making a module moves the epoch", () => {
    const before = stateEpoch();
    new nn.Identity();
    expect(stateEpoch()).toBeGreaterThan(before);
  });
});

describe("modes and flags", () => {
  test("a held mode reads so, whatever train and eval say", () => {
    const layer = new nn.Dropout(0.5);
    layer.heldMode = false;
    expect(layer.train().training).toBe(false);
    expect(layer.forward(ones([50])).dataSync()).toEqual(ones([50]).dataSync());
    layer.heldMode = true;
    expect(layer.eval().training).toBe(true);
    layer.heldMode = null;
    expect(layer.training).toBe(false);
  });

  test("a captured function is recorded again where a mode comes to be held", () => {
    const layer = new nn.Dropout(0.5);
    const forward = capture((x: Tensor) => layer.forward(x));
    const x = ones([64]);
    const zeros = () => Array.from(forward(x).dataSync()).filter((v) => v === 0).length;
    expect(zeros()).toBeGreaterThan(0);
    layer.heldMode = false;
    expect(zeros()).toBe(0);
    layer.heldMode = null;
    expect(zeros()).toBeGreaterThan(0);
    expect(forward.variants).toBe(2);
  });

  test("train and eval reach every module, training only its own", () => {
    const net = new Network();
    expect(net.training).toBe(true);
    expect(net.eval()).toBe(net);
    expect(net.modules().map((m) => m.training)).toEqual([false, false, false, false, false]);
    net.train();
    net.training = false;
    expect(net.hiddenTask1.training).toBe(true);
    expect(net.training).toBe(false);
  });

  test("requiresGrad_ sets every parameter", () => {
    const net = new Network().requiresGrad_(false);
    expect(net.parameters().some((p) => p.requiresGrad)).toBe(false);
  });

  test("zeroGrad takes gradients away, or makes zeros of those there are", () => {
    const net = new nn.Linear(2, 1);
    const backward = (): void =>
      net
        .forward(ones([1, 2]))
        .sum()
        .backward();
    backward();
    net.bias!.grad = null;
    net.zeroGrad({ setToNone: false });
    expect(net.weight.grad!.toArraySync()).toEqual([[0, 0]]);
    expect(net.bias!.grad).toBeNull();
    backward();
    expect(net.weight.grad!.toArraySync()).toEqual([[1, 1]]);
    net.zeroGrad();
    expect(net.parameters().map((p) => p.grad)).toEqual([null, null]);
  });

  test("apply visits children before their parent", () => {
    const seen: string[] = [];
    new Network().apply((m) => seen.push(m.constructor.name));
    expect(seen).toEqual(["Linear", "Linear", "LayerNorm", "Linear", "Network"]);
  });
});

describe("state dict", () => {
  test("holds parameters and persistent buffers, and is a copy", () => {
    const net = new Network();
    const state = net.stateDict();
    expect([...state.keys()]).toEqual([...paths(net), "running"]);
    const before = state.get("scale")!.toArraySync();
    net.scale.assign(tensor([5, 6, 7]));
    commit();
    expect(net.scale.toArraySync()).toEqual([5, 6, 7]);
    expect(state.get("scale")!.toArraySync()).toEqual(before);
  });

  test("loads what another network of the kind gave, bit for bit, from a Map or an object", () => {
    const [a, b, c] = [new Network(), new Network(), new Network()];
    expect(b.loadStateDict(a.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    c.loadStateDict(Object.fromEntries(a.stateDict()));
    for (const [path, value] of a.stateDict()) {
      expect(b.stateDict().get(path)!.dataSync()).toEqual(value.dataSync());
      expect(c.stateDict().get(path)!.dataSync()).toEqual(value.dataSync());
    }
  });

  test("can swap two parameters of one network", () => {
    class Two extends nn.Module {
      a = new Parameter(tensor([1]));
      b = new Parameter(tensor([2]));
    }
    const net = new Two();
    net.loadStateDict({ a: net.b, b: net.a });
    expect([net.a.toArraySync(), net.b.toArraySync()]).toEqual([[2], [1]]);
  });

  test("keeps bf16 and NaN payloads as they are", () => {
    class Odd extends nn.Module {
      half = new Parameter(zeros([2], { dtype: "bf16" }));
      whole = new Parameter(zeros([2]));
    }
    const net = new Odd();
    const bits = new Float32Array(new Uint32Array([0x7fc12345, 0x80000000]).buffer);
    net.loadStateDict({ half: fromArray([1.5, -3], [2], { dtype: "bf16" }), whole: fromArray(bits, [2]) });
    const other = new Odd();
    other.loadStateDict(net.stateDict());
    expect(other.stateDict().get("half")!.dtype).toBe("bf16");
    expect(other.half.toArraySync()).toEqual([1.5, -3]);
    expect(new Uint32Array(other.whole.dataSync().slice().buffer)[1]).toBe(0x80000000);
  });

  const load = (change: (dict: Map<string, Tensor>) => void, options = {}): (() => nn.IncompatibleKeys) => {
    const dict = new Network().stateDict();
    change(dict);
    return () => new Network().loadStateDict(dict, options);
  };

  test("lists all that is wrong in one error and writes nothing", () => {
    const net = new Network();
    const before = net.stateDict();
    const dict = new Map(new Network().stateDict());
    dict.delete("scale");
    dict.set("extra.weight", zeros([1]));
    dict.set("output.weight", zeros([4, 5]));
    dict.set("running", zeros([3], { dtype: "f64" }));
    expect(() => net.loadStateDict(dict)).toThrow(StateDictError);
    expect(() => net.loadStateDict(dict)).toThrowErrorMatchingInlineSnapshot(`
      [StateDictError: loadStateDict: the state dict does not fit Network; nothing was loaded.
        missing: scale
        unexpected: extra.weight
        output.weight is f32[4, 5], the module has f32[4, 3]
        running is f64[3], the module has f32[3]: cast it with to("f32")
      output.weight differs in shape, as the head of a model for other classes does.
      Pass { skipMismatched: true, dtype: "module", strict: false } to load what fits by path and leave the rest.]
    `);
    for (const [path, value] of net.stateDict())
      expect(value.dataSync()).toEqual(before.get(path)!.dataSync());
  });

  test("not strict, it loads what is there and says what is not", () => {
    const loaded = load(
      (dict) => {
        dict.delete("scale");
        dict.set("extra", zeros([1]));
      },
      { strict: false },
    );
    expect(loaded()).toEqual({ missingKeys: ["scale"], unexpectedKeys: ["extra"] });
    expect(load((dict) => dict.set("scale", zeros([4])), { strict: false })).toThrow(
      /scale is f32\[4\], the module has f32\[3\]/,
    );
  });
});

test("prints as PyTorch does", () => {
  class Printed extends nn.Module {
    a = new nn.Linear(3, 4, { bias: false });
    e = new nn.Embedding(5, 3, { paddingIdx: -1 });
    n = new nn.LayerNorm([2, 3], { eps: 1e-3, bias: false });
    l = new nn.ModuleList<nn.Module>([
      new nn.Linear(2, 2),
      new nn.Linear(2, 2),
      new nn.Linear(2, 2),
      new nn.ReLU(),
    ]);
    d = new nn.ModuleDict({ x: new nn.Dropout(0.1), y: new nn.Flatten() });
    s = new nn.Sequential(
      new nn.GELU(),
      new nn.GELU({ approximate: "tanh" }),
      new nn.ELU({ alpha: 0.5 }),
      new nn.CELU(),
      new nn.LeakyReLU({ negativeSlope: 0.2 }),
      new nn.Softmax({ dim: -1 }),
      new nn.LogSoftmax({ dim: 1 }),
      new nn.Softplus(),
      new nn.Hardtanh(),
    );
    c = new nn.CrossEntropyLoss({ weight: ones([3]) });
    q = new nn.Sequential();
  }
  // What torch 2.13 prints for the same network.
  expect(String(new Printed())).toBe(`Printed(
  (a): Linear(in_features=3, out_features=4, bias=False)
  (e): Embedding(5, 3, padding_idx=4)
  (n): LayerNorm((2, 3), eps=0.001, elementwise_affine=True, bias=False)
  (l): ModuleList(
    (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    (3): ReLU()
  )
  (d): ModuleDict(
    (x): Dropout(p=0.1, inplace=False)
    (y): Flatten(start_dim=1, end_dim=-1)
  )
  (s): Sequential(
    (0): GELU(approximate='none')
    (1): GELU(approximate='tanh')
    (2): ELU(alpha=0.5)
    (3): CELU(alpha=1.0)
    (4): LeakyReLU(negative_slope=0.2)
    (5): Softmax(dim=-1)
    (6): LogSoftmax(dim=1)
    (7): Softplus(beta=1.0, threshold=20.0)
    (8): Hardtanh(min_val=-1.0, max_val=1.0)
  )
  (c): CrossEntropyLoss()
  (q): Sequential()
)`);
  expect(String(new nn.LayerNorm(5))).toBe("LayerNorm((5,), eps=1e-05, elementwise_affine=True, bias=True)");
});

test("prints names that would steer a terminal with escapes", () => {
  class Steering extends nn.Module {
    "\u001b[31m\n" = new nn.Linear(1, 1);
  }
  expect(String(new Steering())).toContain("(\\u001b[31m\\u000a): Linear(");
});
