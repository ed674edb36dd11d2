import * as nn from "thaw/nn";
import * as thaw from "thaw/tensor";
import { capture, type Tensor, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, IndexError, ShapeError, ThawError } from "../../src/base/errors.ts";
import { methodSignatures } from "../../src/tensor/method-signatures.ts";

const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
/** As JavaScript calls it: nothing is checked before it runs. */
// biome-ignore lint/suspicious/noExplicitAny: what is called wrongly has no types.
const loose = { ...thaw, x } as any;

describe("plain mistakes are named, with the way to call it", () => {
  test.each<[string, () => unknown, Error]>([
    [
      "view of numbers",
      () => loose.x.view(3, 2),
      new ArgumentError("view: shape is one list, not 2 arguments; write view([3, 2])"),
    ],
    [
      "zeros of numbers",
      () => loose.zeros(2, 3),
      new ArgumentError("zeros: shape is one list, not 2 arguments; write zeros([2, 3])"),
    ],
    [
      "permute of numbers",
      () => loose.x.permute(1, 0),
      new ArgumentError("permute: dims is one list, not 2 arguments; write permute([1, 0])"),
    ],
    [
      "cat of a tensor",
      () => loose.cat(x),
      new ArgumentError("cat: tensors is one list, not 1 argument; write cat([…])"),
    ],
    [
      "stack of tensors",
      () => loose.stack(x, x),
      new ArgumentError("stack: tensors is one list, not 2 arguments; write stack([…, …])"),
    ],
    [
      "cat with null",
      () => loose.cat([x, null]),
      new ArgumentError(
        "cat: tensors is an array of 2; it must be a list of tensors; entry 1 is null, not a tensor; write cat(tensors, dim?)",
      ),
    ],
    [
      "an array for a tensor",
      () => loose.x.add([1, 2]),
      new ArgumentError(
        "add: other is [1, 2]; it must be a tensor, a number or a boolean; make a tensor of it with tensor(…); write add(other, { alpha? })",
      ),
    ],
    [
      "a promise for a tensor",
      () => loose.x.mul(Promise.resolve(x)),
      new ArgumentError(
        "mul: other is a promise; it must be a tensor, a number or a boolean; await it first; write mul(other)",
      ),
    ],
    [
      "options for a dimension",
      () => loose.x.mean({ dim: 1 }),
      new ArgumentError(
        'mean: dim is an object with "dim"; it must be a dimension or a list of them, whole numbers; write mean(dim?, { keepdim?, dtype? })',
      ),
    ],
    [
      "an option of another name",
      () => loose.x.sum(1, { keepDim: true }),
      new ArgumentError(
        'sum: there is no option "keepDim"; "keepdim" is meant, perhaps; write sum(dim?, { keepdim?, dtype? })',
      ),
    ],
    [
      "a dimension among the options",
      () => loose.x.sum(undefined, { axis: 1 }),
      new ArgumentError(
        'sum: there is no option "axis"; dim is not among the options but comes before them, write sum(dim?, { keepdim?, dtype? })',
      ),
    ],
    [
      "nothing given",
      () => loose.x.add(),
      new ArgumentError("add: other is missing; write add(other, { alpha? })"),
    ],
    [
      "a fraction for a dimension",
      () => loose.x.sum(1.5),
      new IndexError(
        "sum: dim is 1.5; it must be a dimension or a list of them, whole numbers; write sum(dim?, { keepdim?, dtype? })",
      ),
    ],
    [
      "a size that is NaN",
      () => loose.x.reshape([NaN]),
      new ShapeError(
        "reshape: shape is [NaN]; it must be a shape: a list of whole numbers, of which -1 is worked out; write reshape(shape)",
      ),
    ],
    [
      "PyTorch's name of a dtype",
      () => loose.x.to("float64"),
      new ArgumentError(
        'to: dtype is "float64"; it must be a dtype: f32, f64, i32, u8, bool, bf16, f16, i8, or a tensor; write "f64"; write to(dtype)',
      ),
    ],
    [
      "one argument too many",
      () => loose.x.relu(true),
      new ArgumentError("relu: true is one argument too many, or no object of options; write relu()"),
    ],
    [
      "bounds that are no options",
      () => loose.x.clamp(0, 1),
      new ArgumentError(
        "clamp: 0 is one argument too many, or no object of options; write clamp({ min?, max? })",
      ),
    ],
    [
      "-1 for a new dimension",
      () => x.expand([-1, 2, 3]),
      new ShapeError(
        "expand: [-1, 2, 3] for a tensor of shape [2, 3]: -1 keeps the size of a dimension that the tensor has, new ones in front need a size",
      ),
    ],
  ])("%s", (_, call, error) => {
    expect(call).toThrow(error);
  });

  test("an extra argument that says nothing is no mistake", () => {
    expect(loose.x.relu({}).shape).toEqual([2, 3]);
    expect(loose.x.sum(1, undefined, {}).shape).toEqual([2]);
  });

  test("a module is its own options", () => {
    expect(new nn.GELU({ approximate: "tanh" }).forward(x).shape).toEqual([2, 3]);
  });

  test("what depends on values says so while it is captured", () => {
    const f = capture((a: Tensor) => a.maskedSelect(a.gt(1)));
    expect(() => f(x)).toThrow(/maskedSelect: the shape of its result depends on values/);
    let escaped: Tensor | undefined;
    capture((a: Tensor) => {
      escaped = a.add(1);
      return a.sum();
    })(x);
    expect(() => escaped!.sum()).toThrow(ThawError);
  });
});

/** What nobody means, and some that somebody might. */
const garbage: readonly unknown[] = [
  undefined,
  null,
  NaN,
  -1,
  1.5,
  "dim",
  "",
  true,
  7n,
  Symbol("s"),
  [],
  [1, 2],
  [NaN],
  [undefined],
  ["a"],
  [[1]],
  new Float32Array(2),
  {},
  { dims: 1 },
  { node: null },
  () => 1,
  Promise.resolve(1),
  new Date(0),
  new Map(),
  x,
  zeros([0]),
  tensor(1),
  tensor([true, false]),
  tensor([1, 2], { dtype: "i32" }),
  [x, x],
];

/** Has a call end in a result, or in an error of thaw's own that names the operation. */
function expectNamed(op: string, call: () => unknown, args: readonly unknown[]): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch (error) {
    // An error's stack is made as text when it is read, which takes longer than the call.
    if (error instanceof ThawError) return;
    const what = `${op}(${args.map((a) => (typeof a === "symbol" ? "symbol" : Array.isArray(a) ? `[${a.length}]` : typeof a === "object" ? (a?.constructor?.name ?? "null") : `${a}`)).join(", ")})`;
    expect.fail(`${what}: ${(error as Error).stack}`);
  }
}

/** A few hundred lists of arguments, the same in every run: each alone, and pairs and threes by turns. */
function argumentLists(seed: number): unknown[][] {
  const pick = (i: number): unknown => garbage[(i * 2654435761 + seed * 40503) % garbage.length];
  return [
    [],
    ...garbage.map((g) => [g]),
    ...Array.from({ length: 5 }, (_, i) => [pick(i), pick(i + 101)]),
    ...Array.from({ length: 5 }, (_, i) => [pick(i), pick(i + 37), pick(i + 71)]),
    ...Array.from({ length: 3 }, (_, i) => [pick(i), pick(i + 11), pick(i + 59), pick(i + 83)]),
    ...garbage.slice(0, 27).flatMap((g) => [
      [0, g],
      [x, g],
      [1, x, g],
      [[2, 3], g],
    ]),
  ];
}

const unchecked = new Set([
  "capture",
  "noGrad",
  "enableGrad",
  "isGradEnabled",
  "isTensor",
  "formatTensor",
  "getRandomState",
]);
const functionsOf = (home: object) =>
  Object.entries(home).filter(
    ([name, f]) => typeof f === "function" && !/^[A-Z]/.test(name) && !unchecked.has(name),
  ) as [string, (...args: unknown[]) => unknown][];
const layerFunctions = functionsOf(nn);
const functions = functionsOf(thaw);

describe("garbage ends in thaw's own errors", () => {
  test.each(Object.keys(methodSignatures).filter((name) => name !== "print"))("Tensor.%s", (name) => {
    for (const on of [x, tensor(1)])
      for (const args of argumentLists(name.length)) {
        const target = on.clone() as unknown as Record<string, (...a: unknown[]) => unknown>;
        expectNamed(name, () => target[name]!(...args), args);
      }
  });
  test.each(layerFunctions)("nn.%s", (name, f) => {
    for (const args of argumentLists(name.length)) expectNamed(name, () => f(...args), args);
  });
  test.each(functions)("%s", (name, f) => {
    for (const args of argumentLists(name.length)) expectNamed(name, () => f(...args), args);
  });
  test("what is missing or wrong is said of the operation", () => {
    for (const [name, { params }] of Object.entries(methodSignatures)) {
      if (params.length === 0 || params[0]!.ok(undefined)) continue;
      const method = (x as unknown as Record<string, (...a: unknown[]) => unknown>)[name]!;
      for (const wrong of [undefined, Symbol("s"), () => 1])
        expect(() => method.call(x, wrong), name).toThrow(new RegExp(`^${name}: `));
    }
  });
});

test("constructors of layers refuse what they do not take", () => {
  // biome-ignore lint/suspicious/noExplicitAny: what is called wrongly has no types.
  const layers = nn as any;
  const refused: [() => unknown, string][] = [
    [
      () => new layers.Linear(3, 4, { biass: false }),
      'Linear: there is no option "biass"; "bias" is meant, perhaps',
    ],
    [() => new layers.Linear(3, 4, false), "Linear: false is one argument too many, or no object of options"],
    [() => new layers.Linear("3", 4), 'Linear: inFeatures is "3"; it must be a number'],
    [
      () => new layers.Linear(3),
      "Linear: outFeatures is missing; write Linear(inFeatures, outFeatures, { bias? })",
    ],
    [() => new layers.Embedding(3, 4, { padding: 0 }), 'Embedding: there is no option "padding"'],
    [
      () => new layers.Embedding(3, 4, { maxNorm: "1" }),
      'Embedding: the option maxNorm is "1"; it must be a number',
    ],
    [() => new layers.EmbeddingBag(3, 4, { mode: "min" }), 'EmbeddingBag: the option mode is "min"'],
  ];
  for (const [call, message] of refused) expect(call).toThrow(message);
});
