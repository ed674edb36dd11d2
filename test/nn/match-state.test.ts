import { loadFromBytes, saveToBytes, serializeSafetensors } from "thaw/checkpoint";
import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { Adam } from "thaw/optim";
import { ones, type Tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, StateDictError } from "../../src/base/errors.ts";

class Block extends nn.Module {
  firstLayer = new nn.Linear(3, 4);
  norm = new nn.LayerNorm([4]);
  bn = new nn.BatchNorm1d(4);
}
class Net extends nn.Module {
  body = new Block();
  head: nn.Linear;
  constructor(classes = 2) {
    super();
    this.head = new nn.Linear(4, classes);
  }
}
class Wrapper extends nn.Module {
  model = new Net();
}
class List extends nn.Module {
  layers = [new nn.Linear(2, 3), new nn.Linear(3, 2)];
}

type Dict = Map<string, Tensor>;
const renamed = (net: nn.Module, rename: (path: string) => string): Dict =>
  new Map([...net.stateDict()].map(([path, t]) => [rename(path), t]));
const without = (dict: Dict, ...paths: string[]): Dict => {
  for (const path of paths) dict.delete(path);
  return dict;
};
const python = (path: string): string => path.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const old = (path: string): string =>
  path.replace(/(norm|bn)\.weight$/, "$1.gamma").replace(/(norm|bn)\.bias$/, "$1.beta");
const cast = (dict: Dict, dtype: "f64" | "bf16" | "f16"): Dict =>
  new Map([...dict].map(([p, t]) => [p, t.dtype === "f32" ? t.to(dtype) : t]));

/** What is loaded into what, and what the error must say beside options that work. */
const cases: Record<string, [() => Dict, () => nn.Module, RegExp, number]> = {
  "one prefix": [() => renamed(new Net(), (p) => `wrapped.${p}`), () => new Net(), /prefix: "wrapped\."/, 1],
  "a prefix of data parallel in a wrapper": [
    () => renamed(new Net(), (p) => `module._orig_mod.${p}`),
    () => new Net(),
    /prefix: "module\._orig_mod\."/,
    1,
  ],
  "a prefix, and something without it": [
    () => renamed(new Net(), (p) => `module.${p}`).set("epoch", ones([])),
    () => new Net(),
    /prefix: "module\.", strict: false/,
    1,
  ],
  "a module that is wrapped": [
    () => new Net().stateDict(),
    () => new Wrapper(),
    /rename: \(path\) => "model\."/,
    1,
  ],
  "a module whose layers are in a list": [
    () => new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 2)).stateDict(),
    () => new List(),
    /"layers\." \+ path/,
    1,
  ],
  "another number of classes": [() => new Net(10).stateDict(), () => new Net(), /skipMismatched: true/, 0.8],
  "another number of classes, and a layer more": [
    () => new Net(10).stateDict().set("extra.weight", ones([2])),
    () => new Net(),
    /skipMismatched: true, strict: false/,
    0.8,
  ],
  "another number of classes under a prefix": [
    () => renamed(new Net(10), (p) => `module.${p}`),
    () => new Net(),
    /prefix: "module\.", skipMismatched: true/,
    0.8,
  ],
  "double precision": [() => cast(new Net().stateDict(), "f64"), () => new Net(), /dtype: "module"/, 1],
  "double precision under a prefix, and other classes": [
    () =>
      cast(
        renamed(new Net(10), (p) => `model.${p}`),
        "f64",
      ),
    () => new Net(),
    /prefix: "model\.", skipMismatched: true, dtype: "module"/,
    0.8,
  ],
  "names as in Python": [() => renamed(new Net(), python), () => new Net(), /camelCase/, 1],
  "names as in Python under a prefix": [
    () => renamed(new Net(), (p) => `my_model.${python(p)}`),
    () => new Net(),
    /prefix: "my_model\."/,
    1,
  ],
  "gamma and beta": [() => renamed(new Net(), old), () => new Net(), /gamma and beta/, 1],
  "gamma and beta as in Python, under a prefix": [
    () => renamed(new Net(), (p) => `bert.${python(old(p))}`),
    () => new Net(),
    /gamma and beta/,
    1,
  ],
  "a layer that is missing": [
    () => without(new Net().stateDict(), "head.bias"),
    () => new Net(),
    /missing: head\.bias\n/,
    0.9,
  ],
};

/** The options that an error advises, as a program would have them. */
const adviceOf = (error: Error): nn.MatchOptions => {
  const text = /Pass (\{.*\}) to load/.exec(error.message)?.[1];
  if (text === undefined) throw new Error(`no advice: ${error.message}`);
  return new Function(`return ${text}`)();
};
const errorOf = (fn: () => unknown): Error => {
  try {
    fn();
  } catch (error) {
    expect(error).toBeInstanceOf(StateDictError);
    return error as Error;
  }
  throw new Error("nothing was thrown");
};
const same = (a: Tensor, b: Tensor): boolean =>
  JSON.stringify(a.to("f32").toArraySync()) === JSON.stringify(b.to("f32").toArraySync());

describe.each(Object.entries(cases))("%s: what the error advises loads", (_, [from, into, says, share]) => {
  const check = (net: nn.Module, dict: Dict, load: (options?: object) => nn.IncompatibleKeys): void => {
    const values = () => [...net.stateDict().values()].map((t) => t.toArraySync());
    const before = values();
    const error = errorOf(() => load());
    expect(error.message).toMatch(says);
    expect(values()).toEqual(before);
    const { missingKeys, mismatchedKeys = [] } = load(adviceOf(error));
    const left = new Set([...missingKeys, ...mismatchedKeys]);
    const paths = [...net.stateDict().keys()];
    expect(paths.length - left.size).toBeGreaterThanOrEqual(Math.floor(share * paths.length));
    const given = [...dict.values()];
    for (const [path, value] of net.stateDict())
      if (!left.has(path))
        expect(given.some((t) => t.shape.join() === value.shape.join() && same(t, value))).toBe(true);
  };

  test("from a state dict", () => {
    const [dict, net] = [from(), into()];
    check(net, dict, (options) => net.loadStateDict(dict, options));
  });

  test("from a file", () => {
    const [dict, net] = [from(), into()];
    const bytes = serializeSafetensors(dict);
    check(net, dict, (options) => loadFromBytes(bytes, { module: net, ...options }));
  });
});

test("what is advised step by step works too, each error leading on", () => {
  const dict = renamed(new Net(10), (p) => `module.${p}`);
  const net = new Net();
  const error = errorOf(() => net.loadStateDict(dict, { prefix: "module." }));
  expect(adviceOf(error)).toEqual({ prefix: "module.", skipMismatched: true });
  expect(adviceOf(errorOf(() => net.loadStateDict(dict, { strict: false })))).toEqual({
    prefix: "module.",
    skipMismatched: true,
    strict: false,
  });
});

describe("where nothing is found", () => {
  test.each([true, false])("it is an error, strict being %s", (strict) => {
    const net = new Net();
    const dict = renamed(new Net(), (p) => `a${[...p].reverse().join("")}`);
    const message = errorOf(() => net.loadStateDict(dict, { strict })).message;
    expect(message).toContain("With no options would anything of it fit");
    expect(
      errorOf(() => loadFromBytes(serializeSafetensors(dict), { module: net, strict })).message,
    ).toContain("nothing was loaded");
  });

  test("an empty state dict is an error only where all paths must be there", () => {
    errorOf(() => new Net().loadStateDict({}));
    expect(new Net().loadStateDict({}, { strict: false }).missingKeys).not.toEqual([]);
    expect(new nn.Identity().loadStateDict({})).toEqual({ missingKeys: [], unexpectedKeys: [] });
  });
});

test("kernels of Keras are transposed by what the error says", () => {
  class Small extends nn.Module {
    dense = new nn.Linear(3, 2);
    square = new nn.Linear(3, 3);
  }
  const trained = new Small();
  const dict = new Map(
    [...trained.stateDict()].map(([path, t]) => [
      path.replace(".weight", "/kernel:0").replace(".bias", "/bias:0"),
      path.endsWith("weight") ? t.t() : t,
    ]),
  );
  const net = new Small();
  const { message } = errorOf(() => net.loadStateDict(dict));
  const code = /: (new Map\(.*\))\.\n?/.exec(message)![1]!;
  net.loadStateDict(new Function("dict", `return ${code}`)(dict));
  for (const [path, t] of trained.stateDict()) expect(same(net.stateDict().get(path)!, t)).toBe(true);
});

test("a checkpoint under a prefix resumes the optimizer and what was frozen too", () => {
  const wrapper = new Wrapper();
  freeze(wrapper, "model.body.norm.**");
  const optimizer = new Adam(wrapper);
  for (const p of wrapper.parameters()) p.grad = ones(p.shape);
  optimizer.step();
  const bytes = saveToBytes({ module: wrapper, optimizer });
  const net = new Net();
  const resumed = new Adam(net);
  loadFromBytes(bytes, { module: net, optimizer: resumed, frozen: true, prefix: "model." });
  expect(resumed.state.get(net.head.weight)!.expAvg.toArraySync()).toEqual(
    optimizer.state.get(wrapper.model.head.weight)!.expAvg.toArraySync(),
  );
  expect(net.parameters().map((p) => p.frozen)).toEqual(wrapper.parameters().map((p) => p.frozen));
});

describe.each(["bf16", "f16"] as const)("%s in a module of f32", (dtype) => {
  test.each(["a state dict", "a file"])("loads from %s without an option, each value as it is", (from) => {
    const dict = cast(new Net().stateDict(), dtype);
    const net = new Net();
    freeze(net, "body.**");
    if (from === "a file") loadFromBytes(serializeSafetensors(dict), { module: net });
    else net.loadStateDict(dict);
    for (const [path, value] of net.stateDict()) {
      expect(value.dtype).toBe(path.endsWith("numBatchesTracked") ? "i32" : "f32");
      expect(same(value, dict.get(path)!)).toBe(true);
    }
    expect(net.body.firstLayer.weight.frozen).toBe(true);
    expect(net.head.weight.frozen).toBe(false);
  });

  test("of another shape is still an error, and what would be rounded is one", () => {
    const dict = cast(new Net(10).stateDict(), dtype);
    expect(adviceOf(errorOf(() => new Net().loadStateDict(dict)))).toEqual({ skipMismatched: true });
    const other = dtype === "bf16" ? "f16" : "bf16";
    const small = new nn.ParameterList([ones([2], { dtype: other })]);
    const from = { 0: ones([2], { dtype }) };
    expect(errorOf(() => small.loadStateDict(from)).message).toContain('dtype: "module"');
    small.loadStateDict(from, { dtype: "module" });
    expect(small.at(0).dtype).toBe(other);
  });
});

test("two names that come to one path are an error", () => {
  const net = new nn.Linear(1, 1);
  const dict = new Map([...net.stateDict()]).set("Weight", ones([1, 1]));
  expect(() => net.loadStateDict(dict, { rename: (path) => path.toLowerCase() })).toThrow(
    "weight and Weight are both weight of the module",
  );
});

test.each([
  [{ strict: "false" }, "strict is false"],
  [{ prefix: 3 }, "prefix is 3"],
  [{ rename: "a" }, "rename is a"],
  [{ dtype: "f32" }, "dtype is f32"],
  [{ skipMismatched: 1 }, "skipMismatched is 1"],
])("options that cannot be are refused: %j", (options, message) => {
  const net = new nn.Linear(1, 1);
  for (const load of [
    () => net.loadStateDict(net.stateDict(), options as never),
    () => loadFromBytes(saveToBytes({ module: net }), { module: net, ...(options as object) }),
  ]) {
    expect(load).toThrow(ArgumentError);
    expect(load).toThrow(message);
  }
});
