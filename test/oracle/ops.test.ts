import type { DType } from "thaw/tensor";
import * as thaw from "thaw/tensor";
import { Tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { promoteTypes } from "../../src/base/dtype.ts";
import { computeDtype } from "../../src/tensor/operations/promote.ts";
import { sampled } from "../breadth.ts";
import { expectClose } from "./close.ts";
import { dtypeOf, type Fixture, readFixture, valuesOf } from "./fixture.ts";

/**
 * Every operation against PyTorch, forward, gradient and second gradient; gradients within twice the tolerance. That of
 * f64 leaves room for PyTorch's hardsigmoid, which multiplies by a sixth in f32.
 */

type Arg = number | string | null | { tensor: Fixture } | Arg[];
type Value = number | string | null | undefined | Tensor | Value[];
type Options = Record<string, Value | boolean>;

interface Case {
  name: string;
  op: string;
  args: Arg[];
  options: Record<string, Arg | boolean>;
  output: Fixture | Fixture[];
  cotangent: Fixture | null | (Fixture | null)[];
  grads: (Fixture | null)[] | null;
  second?: { vectors: (Fixture | null)[]; grads: (Fixture | null)[] };
}

interface Fixtures {
  cases: Case[];
  promotion: [string, string, string][];
  division: [string, string, string][];
  comparison: [string, string, string][];
  sum: [string, string][];
  prod: [string, string][];
  unaryFloat: [string, string][];
}

const fixtures = readFixture<Fixtures>("ops.json.gz");

const tensorOf = (fixture: Fixture, requiresGrad = false): Tensor => {
  const { data, shape, dtype } = valuesOf(fixture);
  return thaw.fromArray(data, shape, { dtype, requiresGrad });
};

const shapeArgs = new Set(["reshape", "permute", "expand", "broadcastTo", "repeat", "flip", "pad"]);
/** Operations whose `dim` comes first where PyTorch's is a keyword. */
const dimFirst = new Set(
  "sum mean prod var std amax amin max min argmax argmin any all cumsum softmax logSoftmax logsumexp sort argsort squeeze unbind".split(
    " ",
  ),
);

type Method = (...args: unknown[]) => Tensor | Tensor[] | thaw.Indexed<Tensor>;
const functions: Record<string, (args: Value[], options: Options) => Tensor> = {
  where: ([c, a, b]) => thaw.where(c as Tensor, a as Tensor, b as Tensor),
  concat: ([parts], { dim }) => thaw.concat(parts as Tensor[], dim as number),
  stack: ([parts], { dim }) => thaw.stack(parts as Tensor[], dim as number),
  einsum: ([equation, ...rest]) => thaw.einsum(equation as string, ...(rest as Tensor[])),
  linear: ([x, w, b]) => thaw.linear(x as Tensor, w as Tensor, b as Tensor | undefined),
  layerNorm: ([x, shape, w, b], { eps }) =>
    thaw.layerNorm(
      x as Tensor,
      shape as number[],
      w as Tensor | undefined,
      b as Tensor | undefined,
      eps as number | undefined,
    ),
  embedding: ([index, weight], { paddingIdx }) =>
    thaw.embedding(index as Tensor, weight as Tensor, { paddingIdx: paddingIdx as number }),
  oneHot: ([index], { numClasses }) => thaw.oneHot(index as Tensor, numClasses as number | undefined),
  arange: (args) => thaw.arange(...(args as [number, number])),
  linspace: ([start, end, steps]) => thaw.linspace(start as number, end as number, steps as number),
  eye: ([rows, columns]) => thaw.eye(rows as number, columns as number | undefined),
  zeros: ([shape]) => thaw.zeros(shape as number[]),
  ones: ([shape]) => thaw.ones(shape as number[]),
  full: ([shape, value]) => thaw.full(shape as number[], value as number),
  norm: ([x], { p, dim, keepdim }) =>
    (x as Tensor).norm(p as number, dim as number, { keepdim: keepdim as boolean }),
  topk: ([x, k], { dim, largest }) =>
    (x as Tensor).topk(k as number, dim as number, { largest: largest as boolean }) as unknown as Tensor,
  takeAlongDim: ([x, index], { dim }) => (x as Tensor).takeAlongDim(index as Tensor, dim as number),
  flatten: ([x], { startDim, endDim }) => (x as Tensor).flatten(startDim as number, endDim as number),
  roll: ([x, shifts, dims]) => (x as Tensor).roll(shifts as number[], dims as number[] | undefined),
  tril: ([x], { diagonal }) => (x as Tensor).tril(diagonal as number),
  triu: ([x], { diagonal }) => (x as Tensor).triu(diagonal as number),
};

/** Cases that are more than the operation they are named after, as their generator has them. */
const composed: Record<string, (x: Tensor) => Tensor> = { "mean/second": (x) => x.pow(3).mean(1) };

/** Where PyTorch's value is an artefact of its vector code: gelu(∞) is ∞, it gives NaN. */
const corrected: Record<string, Record<number, number>> = { "gelu/edges": { 4: Number.POSITIVE_INFINITY } };

function call(op: string, args: Value[], options: Options): Tensor | Tensor[] {
  const fn = functions[op];
  const [x, ...rest] = args;
  // PyTorch's older way to say a correction of 0 or 1.
  const { unbiased, dim, ...others } = options;
  const more = unbiased === undefined ? others : { ...others, correction: unbiased ? 1 : 0 };
  const method = (): Method => {
    const found = (x as unknown as Record<string, Method | undefined>)[op];
    if (typeof found !== "function") throw new Error(`Tensor has no method ${op}`);
    return found.bind(x);
  };
  const result =
    fn !== undefined
      ? fn(args, options)
      : dimFirst.has(op)
        ? method()(dim, more)
        : op === "split" || op === "chunk"
          ? method()(...rest, dim)
          : shapeArgs.has(op)
            ? method()(...rest, more)
            : method()(...rest, options);
  if (result instanceof Tensor || Array.isArray(result)) return result;
  return [result.values, result.indices];
}

/** That a tensor has the dtype of a fixture, and is close to it. */
function expectSame(actual: Tensor, expected: Fixture, what: string, times = 1): void {
  expect(actual.dtype, what).toBe(dtypeOf(expected.dtype));
  expectClose(actual, expected, what, times);
}

function leavesOf(args: Value[]): Tensor[] {
  return args.flatMap((a) => (a instanceof Tensor ? [a] : Array.isArray(a) ? leavesOf(a) : []));
}

const read = (arg: Arg, requiresGrad: boolean): Value => {
  if (Array.isArray(arg)) return arg.map((a) => read(a, requiresGrad));
  if (arg === null || typeof arg === "number") return arg ?? undefined;
  if (typeof arg === "string") return /^(NaN|-?Infinity)$/.test(arg) ? Number(arg) : arg;
  const float = arg.tensor.dtype.startsWith("float");
  return tensorOf(arg.tensor, requiresGrad && float);
};

/** Gradients of several outputs, added up. */
function gradients(
  outputs: Tensor[],
  cotangents: (Fixture | null)[],
  leaves: Tensor[],
  createGraph: boolean,
): (Tensor | null)[] {
  const wanted = leaves.filter((l) => l.requiresGrad);
  const sums = new Map<Tensor, Tensor>();
  outputs.forEach((out, i) => {
    const cotangent = cotangents[i];
    if (!cotangent) return;
    const found = thaw.gradient(out, wanted, { gradient: tensorOf(cotangent), createGraph });
    wanted.forEach((leaf, j) => {
      const [g, before] = [found[j], sums.get(leaf)];
      if (g) sums.set(leaf, before ? before.add(g) : g);
    });
  });
  return leaves.map((l) => sums.get(l) ?? null);
}

function expectGradients(actual: (Tensor | null)[], expected: (Fixture | null)[], what: string): void {
  expect(actual.length, `${what}: number of tensors`).toBe(expected.length);
  expected.forEach((e, i) => {
    if (e === null) expect(actual[i], `${what} ${i}`).toBeNull();
    else if (actual[i] === null) expect.fail(`${what} ${i}: there is none, PyTorch has one`);
    else expectSame(actual[i]!, e, `${what} ${i}`, 2);
  });
}

function replay(c: Case): void {
  const args = c.args.map((a) => read(a, c.grads !== null));
  const options = Object.fromEntries(
    Object.entries(c.options).map(([k, v]) => [k, typeof v === "boolean" ? v : read(v, c.grads !== null)]),
  );
  const result = c.name in composed ? composed[c.name]!(args[0] as Tensor) : call(c.op, args, options);
  const outputs = Array.isArray(result) ? result : [result];
  const expected = (Array.isArray(c.output) ? c.output : [c.output]).map((e) => ({
    ...e,
    data: e.data.map((v, i) => corrected[c.name]?.[i] ?? v),
  }));
  expect(outputs.length, "number of results").toBe(expected.length);
  for (const [i, out] of outputs.entries()) expectSame(out, expected[i]!, `result ${i}`);
  if (c.grads === null) return;
  const leaves = leavesOf(args);
  const first = gradients(outputs, [c.cotangent].flat(), leaves, c.second !== undefined);
  expectGradients(first, c.grads, "gradient");
  if (c.second === undefined) return;
  const terms = first.flatMap((g, i) => (g ? [g.mul(tensorOf(c.second!.vectors[i]!)).sum()] : []));
  const total = terms.reduce((a, b) => a.add(b));
  const wanted = leaves.filter((l) => l.requiresGrad);
  const found = new Map(thaw.gradient(total, wanted).map((g, i) => [wanted[i], g]));
  expectGradients(
    leaves.map((l) => found.get(l) ?? null),
    c.second.grads,
    "second gradient",
  );
}

test("the fixture is whole", () => expect(fixtures.cases.length).toBeGreaterThanOrEqual(700));

// On the native backend nearly every case needs kernels that nothing else does.
const cases = currentBackend().name === "native" ? sampled(fixtures.cases, 4) : fixtures.cases;
test.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => replay(c));

/** int16 and int64 are not dtypes here: i32 is the next that holds them. */
const known = (torch: string): DType => (torch === "int16" || torch === "int64" ? "i32" : dtypeOf(torch));
const operand = (name: string): Tensor | number | boolean => {
  if (name.startsWith("number:")) return { "number:float": 1.5, "number:int": 2, "number:bool": true }[name]!;
  return thaw.ones(name.startsWith("0d:") ? [] : [2], { dtype: dtypeOf(name.replace("0d:", "")) });
};

describe("dtypes", () => {
  test.each(fixtures.promotion)("%s + %s", (a, b, result) =>
    expect((operand(a) as Tensor).add(operand(b)).dtype).toBe(computeDtype(known(result))),
  );
  test.each(fixtures.division)("%s / %s", (a, b, result) =>
    expect((operand(a) as Tensor).div(operand(b)).dtype).toBe(computeDtype(known(result))),
  );
  test.each(fixtures.comparison)("%s < %s", (a, b, result) =>
    expect((operand(a) as Tensor).lt(operand(b)).dtype).toBe(known(result)),
  );
  test.each(fixtures.sum)("sum of %s", (a, result) =>
    expect((operand(a) as Tensor).sum().dtype).toBe(computeDtype(known(result))),
  );
  test.each(fixtures.prod)("prod of %s", (a, result) =>
    expect((operand(a) as Tensor).prod().dtype).toBe(computeDtype(known(result))),
  );
  test.each(fixtures.unaryFloat)("exp of %s", (a, result) =>
    expect((operand(a) as Tensor).exp().dtype).toBe(computeDtype(known(result))),
  );
  test("of two stored types is PyTorch's", () => {
    for (const [a, b, result] of fixtures.promotion)
      if (!/:/.test(a + b)) expect(promoteTypes(dtypeOf(a), dtypeOf(b)), `${a}, ${b}`).toBe(known(result));
  });
});
