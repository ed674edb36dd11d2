import {
  allocate,
  type DType,
  readElement,
  roundTo,
  type TypedArray,
  writeElement,
} from "../../src/base/dtype.ts";
import { threefry2x32 } from "../../src/base/threefry.ts";
import { evaluateElementwise } from "../../src/ir/evaluate-elementwise.ts";
import type { Node } from "../../src/ir/node.ts";
import type { Access, AccessArgs, LoopKernel, Store, Value } from "../../src/plan/kernel.ts";

/** Memory as a kernel's accesses see it: a typed array each; its dtype is the access's. */
export type Buffers = readonly TypedArray[];

/** A loop kernel with its arguments and no buffers yet. */
export interface Call {
  readonly kernel: LoopKernel;
  readonly extents: readonly number[];
  readonly accesses: readonly AccessArgs[];
}

/** An access as tests write it: strides over all dimensions; the structure is read off them. */
export interface AccessSpec {
  readonly dtype: DType;
  readonly buffer: number;
  readonly offset?: number;
  readonly strides: readonly number[];
  readonly axisStride?: number;
}

/** A call from its parts. */
export function makeCall(
  outer: readonly number[],
  inner: readonly number[],
  specs: readonly AccessSpec[],
  body: readonly Value[],
  stores: readonly Store[],
  vector: "inner" | "outer" = "inner",
  sums: Pick<LoopKernel, "blocks" | "lines"> = {},
): Call {
  const at = vector === "inner" ? outer.length + inner.length - 1 : outer.length - 1;
  const accesses = specs.map((s): Access => {
    const along = s.strides[at]!;
    return {
      dtype: s.dtype,
      level: s.strides.slice(outer.length).some((x) => x !== 0)
        ? "full"
        : s.strides.some((x) => x !== 0)
          ? "row"
          : "scalar",
      vector: along === 1 ? "unit" : along === 0 ? "uniform" : "strided",
    };
  });
  const kernel: LoopKernel = {
    kind: "loop",
    key: "",
    outer: outer.length,
    ...sums,
    inner: inner.length,
    vector,
    accesses,
    body,
    stores,
  };
  const args = specs.map((s) => ({ offset: 0, ...s }));
  return { kernel, extents: [...outer, ...inner], accesses: args };
}

function* indices(extents: readonly number[]): Generator<number[]> {
  if (extents.includes(0)) return;
  const index = extents.map(() => 0);
  for (;;) {
    yield [...index];
    let d = extents.length - 1;
    while (d >= 0 && ++index[d]! === extents[d]) index[d--] = 0;
    if (d < 0) return;
  }
}

/** One elementwise result, by the definition. */
export function elementwise(
  op: string,
  dtype: DType,
  args: readonly { dtype: DType; value: number }[],
): number {
  const cells = args.map((a) => {
    const cell = allocate(a.dtype, 1);
    cell[0] = a.value;
    return cell;
  });
  return evaluateElementwise({ op, dtype, src: args } as unknown as Node<"add">, cells)[0]!;
}

/** The same call by plain loops over elements, sums in f64: what a backend should give. */
export function expectLoop({ kernel, extents, accesses: args }: Call, buffers: Buffers): TypedArray[] {
  const { body, accesses } = kernel;
  const before = buffers.map((b) => b.slice());
  const after = buffers.map((b) => b.slice());
  const at = (a: number, index: readonly number[]) =>
    args[a]!.offset + args[a]!.strides.reduce((sum, s, d) => sum + s * index[d]!, 0);
  const read = (a: number, place: number) => readElement(accesses[a]!.dtype, before[args[a]!.buffer]!, place);
  const done = new Map<number, number>();
  /** `here`: values at this index that are there already. */
  const valueAt = (v: number, index: readonly number[], here = new Map<number, number>()): number => {
    if (!here.has(v)) here.set(v, compute(v, index, here));
    return here.get(v)!;
  };
  const compute = (v: number, index: readonly number[], here: Map<number, number>): number => {
    const value = body[v]!;
    if (value.op === "reduce") return done.get(v)!;
    if (value.op === "constant") return roundTo(value.dtype, value.value);
    if (value.op === "load") return read(value.access, at(value.access, index));
    if (value.op === "index") return at(value.access, index);
    if (value.op === "accumulator") throw new Error("no accumulators in loops");
    const operands = value.args.map((a) => valueAt(a, index, here));
    if (value.op === "gather")
      return read(value.access, at(value.access, index) + operands[0]! * args[value.access]!.axisStride!);
    if (value.op === "random")
      return threefry2x32(operands[0]!, operands[1]!, operands[2]! >>> 1, 0)[operands[2]! & 1]!;
    return elementwise(
      value.op,
      value.dtype,
      operands.map((x, i) => ({ dtype: body[value.args[i]!]!.dtype, value: x })),
    );
  };
  /** Sums over the rows of a block so far, by the store and the place. */
  const sums = new Map<string, number>();
  const isMap = !body.some((v) => v.op === "reduce");
  for (const outer of indices(extents.slice(0, kernel.outer))) {
    const inner = () => indices(extents.slice(kernel.outer));
    for (const [r, v] of body.entries()) {
      if (v.op !== "reduce") continue;
      const values = [...inner()].map((i) => valueAt(v.args[0], [...outer, ...i]));
      const whole = v.dtype === "i32" || v.dtype === "u8";
      const total =
        v.kind === "sum"
          ? values.reduce((a, b) => (whole ? (a + b) | 0 : a + b), values.length === 0 || whole ? 0 : -0)
          : v.kind === "prod"
            ? values.reduce((a, b) => (whole ? Math.imul(a, b) : a * b), 1)
            : Math[v.kind](...values);
      done.set(r, roundTo(v.dtype, total));
    }
    for (const s of kernel.stores) {
      const places =
        isMap || accesses[s.access]!.level === "full" ? inner() : [extents.slice(kernel.outer).map(() => 0)];
      for (const i of places) {
        const index = [...outer, ...i];
        const place = at(s.access, index);
        let value = valueAt(s.value, index);
        if (s.adds) sums.set(`${s.access} ${place}`, (value += sums.get(`${s.access} ${place}`) ?? -0));
        writeElement(accesses[s.access]!.dtype, after[args[s.access]!.buffer]!, place, value);
      }
    }
  }
  return after;
}
