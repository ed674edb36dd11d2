import type { FloatNumber, Tensor } from "thaw/tensor";
import * as thaw from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { backendNames, backendOf } from "../../src/backends/registry.ts";
import { allocate, type DType, isFloat, type TypedArray } from "../../src/base/dtype.ts";
import { ThawError } from "../../src/base/errors.ts";
import { sizeOf } from "../../src/base/shape.ts";
import type { Storage } from "../../src/engine/storage.ts";
import { type Node, node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { sampled } from "../breadth.ts";
import { dtypeOf, readFixture } from "./fixture.ts";

/** What a plain number is among tensors: every operation that takes one, with every dtype and kind of number. */

type Literal = number | boolean | string | [number];
type Expected = [dtype: string, values: (number | string)[]] | null;
interface Literals {
  values: Record<string, number[]>;
  literals: Literal[];
  results: Record<string, Record<string, Expected[]>>;
}
const fixture = readFixture<Literals>("literals.json.gz");

type Scalar = number | boolean | FloatNumber;
const alternate = (x: Tensor): Tensor =>
  thaw.fromArray(
    Uint8Array.from({ length: x.numel }, (_, i) => (i + 1) % 2),
    x.shape,
    { dtype: "bool" },
  );
/** Arguments that are numbers and take no boolean by their type; what is given at run time may be one. */
const plain = (v: Scalar): number => v as number;

const call: Record<string, (x: Tensor, v: Scalar) => Tensor> = {
  add: (x, v) => x.add(v),
  sub: (x, v) => x.sub(v),
  mul: (x, v) => x.mul(v),
  div: (x, v) => x.div(v),
  pow: (x, v) => x.pow(v),
  xlogy: (x, v) => x.xlogy(v),
  bitwiseAnd: (x, v) => x.bitwiseAnd(v),
  bitwiseOr: (x, v) => x.bitwiseOr(v),
  bitwiseXor: (x, v) => x.bitwiseXor(v),
  logicalAnd: (x, v) => x.logicalAnd(v),
  logicalOr: (x, v) => x.logicalOr(v),
  logicalXor: (x, v) => x.logicalXor(v),
  where: (x, v) => thaw.where(alternate(x), x, v),
  whereNot: (x, v) => thaw.where(alternate(x), v, x),
  maskedFill: (x, v) => x.maskedFill(alternate(x), v),
  add_: (x, v) => x.clone().add_(v),
  mul_: (x, v) => x.clone().mul_(v),
  clamp_: (x, v) => x.clone().clamp_({ min: v }),
  fill_: (x, v) => x.clone().fill_(plain(v)),
  full: (x, v) => thaw.full([2], plain(v), { dtype: x.dtype }),
  pad: (x, v) => x.pad([1, 0], { value: plain(v) }),
  addAlpha: (x, v) => x.add(x, { alpha: plain(v) }),
  subAlpha: (x, v) => x.sub(x, { alpha: plain(v) }),
  floorDivide: (x, v) => x.floorDivide(v),
  divTrunc: (x, v) => x.div(v, { roundingMode: "trunc" }),
  divFloor: (x, v) => x.div(v, { roundingMode: "floor" }),
  remainder: (x, v) => x.remainder(v),
  fmod: (x, v) => x.fmod(v),
  eq: (x, v) => x.eq(v),
  ne: (x, v) => x.ne(v),
  lt: (x, v) => x.lt(v),
  le: (x, v) => x.le(v),
  gt: (x, v) => x.gt(v),
  ge: (x, v) => x.ge(v),
  clampMin: (x, v) => x.clamp({ min: v }),
  clampMax: (x, v) => x.clamp({ max: v }),
  maximum: (x, v) => x.maximum(v),
  minimum: (x, v) => x.minimum(v),
};
const divisions = new Set(["floorDivide", "divTrunc", "divFloor", "remainder", "fmod"]);
/** PyTorch adds the negative of alpha, which is no i32 here. */
const negatedAlpha = -(2 ** 31);
/** Those whose number is no operand, so that `float()` does not belong there. */
const numbersOnly = new Set(["fill_", "full", "pad", "addAlpha", "subAlpha"]);
const noBoolean = new Set(["pad", "addAlpha", "subAlpha"]);

const numberOf = (literal: Literal): Scalar =>
  Array.isArray(literal) ? thaw.float(literal[0]) : typeof literal === "string" ? Number(literal) : literal;
const said = (literal: Literal): string => (Array.isArray(literal) ? `float(${literal[0]})` : `${literal}`);

/** int64 is no dtype here: i32 is what it is in its place. */
const known = (torch: string): DType => (torch === "int64" ? "i32" : dtypeOf(torch));

/** Whether a case is about what floats do with a number that no integer is: other tests have those. */
function floatsDecide(op: string, dtype: string, literal: Literal): boolean {
  const [number, float] = [Number(literal), dtype.startsWith("float")];
  if (divisions.has(op))
    return (
      !Number.isFinite(number) ||
      (number === 0 && (float || Array.isArray(literal))) ||
      (float && Math.abs(number) > 300)
    );
  // An exponent that f32 rounds to a whole one.
  if (op === "pow" && typeof literal === "boolean") return dtype === "bool";
  if (op === "pow") return Math.abs(number) > 300 && (float || !Number.isInteger(number));
  return op.startsWith("clamp") && Number.isNaN(number);
}

interface Case {
  readonly what: string;
  readonly result: Tensor;
  readonly wanted: readonly (number | string)[];
}

/** Every case of an operation and dtype that PyTorch computes, as tensors of the dtype that PyTorch gives them. */
function casesOf(op: string, dtype: string): Case[] {
  const data = fixture.values[dtype]!;
  return fixture.results[op]![dtype]!.flatMap((expected, i) => {
    const literal = fixture.literals[i]!;
    if ((Array.isArray(literal) && numbersOnly.has(op)) || floatsDecide(op, dtype, literal)) return [];
    if (typeof literal === "boolean" && noBoolean.has(op)) return [];
    if (op === "subAlpha" && literal === negatedAlpha) return [];
    const what = `${op} of ${dtype} and ${said(literal)}`;
    const short = expected !== null && divisions.has(op) && expected[1].length < data.length;
    const x = thaw.tensor(short ? data.slice(1) : data, { dtype: dtypeOf(dtype) });
    if (expected === null) {
      expect(() => call[op]!(x, numberOf(literal)), what).toThrow(ThawError);
      return [];
    }
    const result = call[op]!(x, numberOf(literal));
    expect(result.dtype, what).toBe(known(expected[0]));
    return [{ what, result, wanted: expected[1] }];
  });
}

/** Values of tensors as a backend computes them, in one plan. */
function valuesOf(backend: string, tensors: readonly Tensor[]): TypedArray[] {
  // What is stored already, or constant, is computed too: it is what a backend's own memory would have to hold.
  const outputs = tensors.map(({ node: n }) => (n.src.length === 0 ? node("detach", [n], {}) : n));
  const plan = buildPlan({ outputs, writes: [], checks: [], resident: () => false });
  const executable = backendOf(backend).load(plan);
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  const bindings = plan.graph.leaves.map((leaf: Node<"input">) => (leaf.attrs.source as Storage).read());
  expect(executable.run(bindings, new Float64Array(0), results)).toBe(-1);
  executable.free();
  return results;
}

function expectValues({ what, result, wanted }: Case, values: TypedArray): void {
  const [atol, rtol] = isFloat(result.dtype)
    ? result.dtype === "f64"
      ? [1e-12, 1e-8]
      : [1e-30, 3e-6]
    : [0, 0];
  for (const [i, w] of wanted.entries()) {
    const [a, b] = [values[i]!, result.dtype === "i32" ? Number(w) | 0 : Number(w)];
    if (!(Object.is(a, b) || a === b || Math.abs(a - b) <= atol + rtol * Math.abs(b)))
      expect.fail(`${what}: element ${i} is ${a}, not ${b}`);
  }
}

const dtypes = Object.keys(fixture.values);
const ops = Object.keys(fixture.results).filter((op) => op !== "powOf");

test("the fixture is whole", () => {
  expect(ops.toSorted()).toEqual(Object.keys(call).toSorted());
  expect(ops.length * dtypes.length * fixture.literals.length).toBeGreaterThan(6000);
});

describe.each(backendNames())("%s", (backend) => {
  // A compiler takes its time; what floats do with constants is tested elsewhere.
  const some = backend === "native" ? sampled(ops, 16) : ops;
  test.each(some)("%s", { timeout: 180_000 }, (op) => {
    for (const dtype of dtypes.filter((d) => backend !== "native" || !d.startsWith("float"))) {
      const cases = casesOf(op, dtype);
      const values = valuesOf(
        backend,
        cases.map((c) => c.result),
      );
      for (const [i, c] of cases.entries()) expectValues(c, values[i]!);
    }
  });
});
