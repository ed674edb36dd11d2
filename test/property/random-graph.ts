import fc from "fast-check";
import { type DType, isFloat } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { type Node, node } from "../../src/ir/node.ts";
import type { Op, OpAttrs } from "../../src/ir/op.ts";
import { filled, input, variable } from "../ir/values.ts";

/**
 * Random graphs: a list of numbers is read as instructions, each of which adds a node on earlier ones. Whatever the
 * numbers, the graph is sound, so a failing one shrinks to few instructions.
 */

/** What a graph is made of by dtype: values of inputs, and constants. */
export interface Values {
  readonly inputs: { readonly [D in DType]?: readonly number[] };
  readonly constants: (dtype: DType) => readonly number[];
}

/** A stream of choices, and what is chosen from. */
export class Choices {
  readonly #numbers: readonly number[];
  readonly values: Values;
  #at = 0;

  constructor(numbers: readonly number[], values: Values = plain) {
    this.#numbers = numbers;
    this.values = values;
  }

  get done(): boolean {
    return this.#at >= this.#numbers.length;
  }

  below(n: number): number {
    return n === 0 ? 0 : (this.#numbers[this.#at++] ?? 0) % n;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const specials: { readonly [D in DType]?: readonly number[] } = {
  f32: [0, -0, 1, -1, 0.1, 3, -2.5, 1e30, -inf, inf, nan, 7, 2 ** -20],
  f64: [0, -0, 1, -1, 0.1, 3, -2.5, 1e200, -inf, inf, nan, 7, 2 ** -20],
  i32: [0, 1, -1, 2, 31, -2147483648, 2147483647, 65537],
  u8: [0, 1, 2, 7, 255],
  bool: [0, 1],
};
const constants = [0, 1, -1, 2, 0.5, 3, -0, 4];
const plain: Values = { inputs: specials, constants: () => constants };
const shapes: readonly Shape[] = [[2, 3], [3], [1, 3], [2, 1], [], [2, 3, 2], [1, 1]];
const dtypesUsed = Object.keys(specials) as DType[];

type Maker = (x: Node, pick: Choices, pool: readonly Node[]) => Node;

const unary =
  (op: Op): Maker =>
  (x) =>
    node(op, [x], {} as never);
const same = (a: Node, b: Node): boolean =>
  a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((d, i) => d === b.shape[i]);

/** Something of the shape and dtype of `x`: from the pool, or a constant. */
const mate = (x: Node, pick: Choices, pool: readonly Node[]): Node => {
  const others = pool.filter((n) => same(n, x));
  return pick.below(3) === 0 || others.length === 0
    ? filled(pick.of(pick.values.constants(x.dtype)), x.shape, x.dtype)
    : pick.of(others);
};
const binary =
  (op: Op): Maker =>
  (x, pick, pool) => {
    const y = mate(x, pick, pool);
    return node(op, pick.below(2) === 0 ? [x, y] : [y, x], {} as never);
  };
const condition = (x: Node, pick: Choices, pool: readonly Node[]): Node => {
  const bools = pool.filter((n) => n.dtype === "bool" && same({ ...n, dtype: x.dtype }, x));
  return bools.length === 0 || pick.below(4) === 0 ? filled(pick.below(2), x.shape, "bool") : pick.of(bools);
};

const subset = (x: Node, pick: Choices): number[] =>
  x.shape.map((_, i) => i).filter(() => pick.below(2) === 0);
const reduce =
  (op: "sum" | "prod" | "maxReduce" | "minReduce"): Maker =>
  (x, pick) =>
    node(op, [x], { axes: subset(x, pick) });

const reshape: Maker = (x, pick) => {
  const size = sizeOf(x.shape);
  const fitting = [...shapes, [size], [1, size], [size, 1], [3, 2], [2, 2, 3]].filter(
    (s) => sizeOf(s) === size,
  );
  return node("reshape", [x], { shape: pick.of(fitting) });
};
const permute: Maker = (x, pick) => {
  const rest = x.shape.map((_, i) => i);
  return node("permute", [x], { axes: x.shape.map(() => rest.splice(pick.below(rest.length), 1)[0]!) });
};
const expand: Maker = (x, pick) =>
  node("expand", [x], { shape: x.shape.map((d) => (d === 1 ? 1 + pick.below(3) : d)) });
const slice: Maker = (x, pick) => {
  const step = x.shape.map(() => pick.of([1, 1, 1, -1, 2]));
  const start = x.shape.map((d) => pick.below(d));
  const size = x.shape.map((d, i) => {
    const most = step[i]! > 0 ? Math.ceil((d - start[i]!) / step[i]!) : start[i]! + 1;
    return Math.max(1, most - pick.below(2));
  });
  return node("slice", [x], { start, size, step });
};
const wholeSlice: Maker = (x) =>
  node("slice", [x], { start: x.shape.map(() => 0), size: x.shape, step: x.shape.map(() => 1) });
const pad: Maker = (x, pick) => {
  const amounts = () => x.shape.map(() => pick.of([0, 0, 1, 2]));
  return node("pad", [x], {
    low: amounts(),
    high: amounts(),
    value: pick.of(pick.values === plain ? [0, 0, 1] : pick.values.constants(x.dtype)),
  });
};
const concat: Maker = (x, pick, pool) =>
  x.shape.length === 0 ? x : node("concat", [x, mate(x, pick, pool)], { axis: pick.below(x.shape.length) });
const cumsum: Maker = (x, pick) =>
  x.shape.length === 0 ? x : node("cumsum", [x], { axis: pick.below(x.shape.length) });
const argmax: Maker = (x, pick) =>
  x.shape.length === 0 ? x : node("argmax", [x], { axis: pick.below(x.shape.length) });
const dot: Maker = (x, pick, pool) => {
  const y = mate(x, pick, pool);
  const axes = x.shape.map((_, i) => i);
  const batch = axes.filter(() => pick.below(3) === 0);
  const contract = axes.filter((a) => !batch.includes(a) && pick.below(2) === 0);
  const free = x.shape.filter((_, i) => !batch.includes(i) && !contract.includes(i));
  if (sizeOf(free) > 6) return x;
  return node("dot", [x, y], {
    leftBatch: batch,
    rightBatch: batch,
    leftContract: contract,
    rightContract: contract,
  });
};
const gather: Maker = (x, pick) => {
  if (x.shape.length === 0) return x;
  const indices = input(
    Array.from({ length: sizeOf(x.shape) }, (_, i) => i % 3),
    x.shape,
    "i32",
  );
  return node("gather", [x, indices], { axis: pick.below(x.shape.length) });
};
/** Updates of some of the lines along an axis, here and there beyond its end, some indices more than once. */
const scatter: Maker = (x, pick, pool) => {
  if (x.shape.length === 0) return x;
  const axis = pick.below(x.shape.length);
  const updates = slice(mate(x, pick, pool), pick, pool);
  const shape = x.shape.with(axis, updates.shape[axis]!);
  const part = node("slice", [mate(x, pick, pool)], {
    start: x.shape.map(() => 0),
    size: shape,
    step: x.shape.map(() => 1),
  });
  const first = pick.below(4) - 1;
  const indices = input(
    Array.from({ length: sizeOf(shape) }, (_, i) => first + (i % 3)),
    shape,
    "i32",
  );
  const column = input(
    Array.from({ length: shape[axis]! }, (_, i) => first + ((i * i) % 3)),
    x.shape.map((_, i) => (i === axis ? shape[axis]! : 1)),
    "i32",
  );
  const places = pick.below(2) === 0 ? indices : node("expand", [column], { shape });
  return node(pick.of(["scatter", "scatterAdd"] as const), [x, places, part], { axis });
};
const iota: Maker = (x, pick) =>
  x.shape.length === 0
    ? x
    : node("iota", [], { shape: x.shape, axis: pick.below(x.shape.length), dtype: x.dtype });

const movement: readonly Maker[] = [reshape, permute, expand, slice, wholeSlice, pad, concat, gather];
const cast: Maker = (x, pick) => node("cast", [x], { dtype: pick.of(dtypesUsed) });
const viaStorage: Maker = (x, pick) => {
  const stored = node("cast", [x], { dtype: pick.of(["bf16", "f16", "i8"] as const) });
  return node("cast", [pick.of([reshape, permute])(stored, pick, [])], { dtype: x.dtype });
};
const where: Maker = (x, pick, pool) => node("where", [condition(x, pick, pool), x, mate(x, pick, pool)], {});
const identity: Maker = (x, pick, pool) => {
  const which = pick.below(3);
  if (which === 0) return node("detach", [x], {});
  if (which === 1) return node("variable", [x], { owner: {} });
  const other = pool[pick.below(pool.length)] ?? x;
  return node("stated", [x, x, other], { rules: [(g) => g, () => other] });
};
const any = [
  ...movement,
  scatter,
  scatter,
  iota,
  cast,
  cast,
  where,
  identity,
  identity,
  viaStorage,
  ...(["eq", "lt", "le"] as const).map(binary),
];
const numbers = [
  ...(["neg", "abs", "sign", "relu", "neg"] as const).map(unary),
  ...(["add", "sub", "mul", "max", "min", "add", "mul"] as const).map(binary),
  ...(["sum", "prod", "maxReduce", "minReduce", "sum"] as const).map(reduce),
  cumsum,
  argmax,
  dot,
];
const bits = (["and", "or", "xor"] as const).map(binary);
const floats = [
  ...(["floor", "ceil", "round", "sqrt", "exp", "log", "tanh", "sigmoid"] as const).map(unary),
  binary("div"),
  binary("div"),
  (x: Node, pick: Choices, pool: readonly Node[]) =>
    node("fma", [x, mate(x, pick, pool), mate(x, pick, pool)], {}),
];
const integers = [...bits, ...(["shl", "shr", "pow"] as const).map(binary)];

const makersFor = (dtype: DType): readonly Maker[] => {
  if (dtype === "bool") return [...any, unary("not"), unary("not"), ...bits];
  return [...any, ...numbers, ...(isFloat(dtype) ? floats : integers)];
};

/** Shifts by a whole word or more are undefined, so the count is masked; exponents are kept small. */
function tamed(n: Node): Node {
  if (n.op !== "shl" && n.op !== "shr" && n.op !== "pow") return n;
  const [x, y] = n.src as readonly [Node, Node];
  return node(n.op, [x, node("and", [y, filled(7, y.shape, y.dtype)], {})], {} as OpAttrs["shl"]);
}

/** The nodes of a random graph, in the order in which they were made. */
export function build(pick: Choices): Node[] {
  const pool: Node[] = [];
  for (let i = 0; i < 4; i++) {
    const dtype = pick.of(dtypesUsed);
    const shape = pick.of(shapes);
    const values = Array.from({ length: sizeOf(shape) }, () => pick.of(pick.values.inputs[dtype]!));
    pool.push(isFloat(dtype) && i % 2 === 0 ? variable(values, shape, dtype) : input(values, shape, dtype));
  }
  while (!pick.done) {
    const x = pool[Math.max(0, pool.length - 1 - pick.below(5))]!;
    const made = tamed(pick.of(makersFor(x.dtype))(x, pick, pool));
    if (sizeOf(made.shape) <= 200) pool.push(made);
  }
  return pool;
}

/** Equal, NaN to NaN; the sign of a zero may differ. */
export const equal = (a: number, b: number): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));

/** What a graph is read from. */
export const graph = fc.array(fc.nat(1000), { minLength: 20, maxLength: 120 });
