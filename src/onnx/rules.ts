import { ExportError } from "../base/errors.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { Op, OpAttrs } from "../ir/op.ts";
import { constantDim, type Dim, isOne, sameDim } from "./dim.ts";
import type { Emitter, Value } from "./emitter.ts";
import { gathered } from "./gather.ts";
import { counted, leaf } from "./leaves.ts";
import type { ElementType } from "./onnx-graph.ts";
import { attention, dot } from "./products.ts";

/** How a node is written. */
type Rule<K extends Op> = (e: Emitter, n: Node<K>) => void;

/** An operator with the operands of the node, which it repeats where they are 1. */
const elementwise =
  (type: string, attributes = {}): Rule<Op> =>
  (e, n) => {
    const values = n.src.map((s) => e.value(s));
    const name = e.graph.node(
      type,
      values.map(({ name }) => name),
      attributes,
    );
    e.set(n, { name, dims: broadcast(values.map(({ dims }) => dims)) });
  };

/** The sizes of what operators make of operands of these: of each dimension the size that is not 1. */
const broadcast = (all: readonly (readonly Dim[])[]): readonly Dim[] =>
  all.reduce((a, b) =>
    a.length < b.length
      ? b.map((d, i) => met(a[i - b.length + a.length], d))
      : a.map((d, i) => met(b[i - a.length + b.length], d)),
  );

const met = (a: Dim | undefined, b: Dim): Dim => (a === undefined || isOne(a) ? b : a);

/** A formula of one operand, whose name it is given. */
const formula =
  (write: (e: Emitter, x: string, type: ElementType) => string): Rule<Op> =>
  (e, n) => {
    const { name, dims } = e.value(n.src[0]!);
    e.set(n, { name: write(e, name, e.type(n.src[0]!)), dims });
  };

const reduction =
  (type: string): Rule<"sum" | "maxReduce" | "minReduce" | "prod"> =>
  (e, n) => {
    const [x] = n.src as [Node];
    const { axes } = n.attrs;
    const { name } = e.whole(x);
    // Operators do not reduce truth values: the largest of them is whether there is one.
    const operand = x.dtype === "bool" ? e.cast(name, "i32") : name;
    const reduced = e.graph.node(type, [operand, e.list(axes)], { keepdims: 0 });
    e.set(n, { name: n.dtype === "bool" ? e.cast(reduced, "bool") : reduced, dims: e.dims(n) });
  };

const logical =
  (ofBools: string, ofNumbers: string): Rule<Op> =>
  (e, n) =>
    elementwise(n.dtype === "bool" ? ofBools : ofNumbers)(e, n);

const unsupported =
  (why: string): Rule<Op> =>
  (_, n) => {
    throw new ExportError(`exportOnnx: the model has ${n.op}, which ${why}`);
  };

const identity: Rule<Op> = (e, n) => {
  if (e.stored(n) === null) e.set(n, e.value(n.src[0]!));
};

/** How nodes are written, by what they are. */
const rules: { readonly [K in Op]: Rule<K> } = {
  input: leaf,
  constant: (e, n) => {
    const values = e.recorded.all(n).map((m) => (m.attrs as OpAttrs["constant"]).value);
    e.set(n, { name: e.scalar(values, e.type(n)), dims: [] });
  },
  hostScalar: unsupported("is a number of the program's that changes; call eval() before the export"),
  iota: (e, n) => e.set(n, counted(e, n, n.attrs.axis)),
  variable: identity,
  detach: identity,
  stated: identity,
  recomputed: identity,
  barrier: identity,
  custom: unsupported("is a function with a gradient of its own"),
  customResult: identity,
  neg: elementwise("Neg"),
  abs: elementwise("Abs"),
  sign: elementwise("Sign"),
  floor: elementwise("Floor"),
  ceil: elementwise("Ceil"),
  round: elementwise("Round"),
  sqrt: elementwise("Sqrt"),
  exp: elementwise("Exp"),
  log: elementwise("Log"),
  expm1: formula((e, x, type) => e.graph.node("Sub", [e.graph.node("Exp", [x]), e.number(1, type)])),
  log1p: formula((e, x, type) => e.graph.node("Log", [e.graph.node("Add", [x, e.number(1, type)])])),
  sin: elementwise("Sin"),
  cos: elementwise("Cos"),
  tanh: elementwise("Tanh"),
  sigmoid: elementwise("Sigmoid"),
  erf: elementwise("Erf"),
  erfc: formula((e, x, type) => e.graph.node("Sub", [e.number(1, type), e.graph.node("Erf", [x])])),
  relu: elementwise("Relu"),
  not: elementwise("Not"),
  cast: (e, n) => {
    const { name, dims } = e.value(n.src[0]!);
    e.set(n, { name: e.cast(name, e.type(n)), dims });
  },
  add: elementwise("Add"),
  sub: elementwise("Sub"),
  mul: elementwise("Mul"),
  div: elementwise("Div"),
  pow: elementwise("Pow"),
  max: elementwise("Max"),
  min: elementwise("Min"),
  remainder: (e, n) => {
    if (n.dtype === "i32") return elementwise("Mod")(e, n);
    // Mod of floats has the sign of the dividend: x - floor(x / y) · y has that of the divisor.
    const [x, y] = n.src.map((s) => e.value(s)) as [Value, Value];
    const whole = e.graph.node("Floor", [e.graph.node("Div", [x.name, y.name])]);
    const name = e.graph.node("Sub", [x.name, e.graph.node("Mul", [whole, y.name])]);
    e.set(n, { name, dims: broadcast([x.dims, y.dims]) });
  },
  eq: elementwise("Equal"),
  lt: elementwise("Less"),
  le: elementwise("LessOrEqual"),
  and: logical("And", "BitwiseAnd"),
  or: logical("Or", "BitwiseOr"),
  xor: logical("Xor", "BitwiseXor"),
  shl: unsupported("moves bits"),
  shr: unsupported("moves bits"),
  where: elementwise("Where"),
  fma: (e, n) => {
    const [a, b, c] = n.src.map((s) => e.value(s)) as [Value, Value, Value];
    const name = e.graph.node("Add", [e.graph.node("Mul", [a.name, b.name]), c.name]);
    e.set(n, { name, dims: broadcast([a.dims, b.dims, c.dims]) });
  },
  sum: reduction("ReduceSum"),
  maxReduce: reduction("ReduceMax"),
  minReduce: reduction("ReduceMin"),
  prod: reduction("ReduceProd"),
  argmax: (e, n) => {
    const found = e.graph.node("ArgMax", [e.whole(n.src[0]!).name], { axis: n.attrs.axis, keepdims: 0 });
    e.set(n, { name: e.cast(found, "i32"), dims: e.dims(n) });
  },
  reshape: (e, n) => e.set(n, reshaped(e, n)),
  permute: (e, n) => {
    if (e.stored(n) === null) e.set(n, e.transpose(e.ranked(n.src[0]!), n.attrs.axes));
  },
  expand: identity,
  slice: sliced,
  pad: (e, n) => {
    const numbers = e.recorded.numbersOf(n, (m) => {
      const { low, high } = m.attrs as OpAttrs["pad"];
      return [...low, ...high];
    });
    const values = e.recorded.all(n).map((m) => (m.attrs as OpAttrs["pad"]).value);
    const value = e.scalar(values, e.type(n));
    e.put(n, "Pad", [e.whole(n.src[0]!).name, e.sizes(numbers), value]);
  },
  concat: (e, n) =>
    e.put(
      n,
      "Concat",
      n.src.map((s) => e.whole(s).name),
      { axis: n.attrs.axis },
    ),
  dot,
  gather: gathered,
  scatterAdd: (e, n) => {
    throw new ExportError(
      `exportOnnx: the model has ${n.op} over ${e.dims(n).length} dimensions, which is not exported`,
    );
  },
  scatter: unsupported("is not exported"),
  argsort: unsupported("is not exported"),
  cumsum: (e, n) => e.put(n, "CumSum", [e.whole(n.src[0]!).name, e.number(n.attrs.axis, "i64")]),
  attention,
  attentionGradient: unsupported("is a gradient"),
  allReduce: unsupported("is a sum over ranks; export on one rank"),
  exchange: unsupported("is a sum over ranks; export on one rank"),
  received: unsupported("is a sum over ranks; export on one rank"),
  randomBits: unsupported("draws random numbers; call eval() before the export"),
};

/**
 * A value in another shape. Where dimensions of size 1 come and go alone, others that are yet to be repeated stay so; of
 * others all elements are needed.
 */
function reshaped(e: Emitter, n: Node<"reshape">): Value {
  const from = e.dims(n.src[0]!);
  const to = e.dims(n);
  if (e.value(n.src[0]!).dims.length === 0) return e.value(n.src[0]!);
  const value = e.ranked(n.src[0]!);
  if (value.isWhole) return e.reshape(value, to);
  const rest = from.flatMap((d, i) => (isOne(d) ? [] : [i]));
  const places = to.flatMap((d, i) => (isOne(d) ? [] : [i]));
  const isSame = rest.length === places.length && rest.every((f, i) => sameDim(from[f]!, to[places[i]!]!));
  if (!isSame) return e.reshape(e.whole(n.src[0]!), to);
  return e.reshape(
    value,
    to.map((d, i) => (places.includes(i) ? value.dims[rest[places.indexOf(i)]!]! : d)),
  );
}

function sliced(e: Emitter, n: Node<"slice">): void {
  const [x] = n.src as [Node];
  // Of attention's vector the result is first; it is what an operator gives.
  if (isOp(x, "attention")) {
    e.set(n, { ...e.value(x), isWhole: true });
    return;
  }
  const from = e.dims(x);
  const numbers = (of: "start" | "size" | "step"): readonly Dim[] =>
    e.recorded.numbersOf(n, (m) => (m.attrs as OpAttrs["slice"])[of]);
  const [starts, sizes, steps] = [numbers("start"), numbers("size"), numbers("step")];
  const axes = from.flatMap((d, i) => (sameDim(d, sizes[i]!) && steps[i]!.every((s) => s === 1) ? [] : [i]));
  if (axes.length === 0) {
    e.set(n, e.value(x));
    return;
  }
  // A slice that runs backwards to the first element ends before it: a number below any, as -1 is the last.
  const ends = axes.map((i) => {
    const end = starts[i]!.map((s, r) => s + sizes[i]![r]! * steps[i]![r]!);
    return end.every((x) => x < 0) ? constantDim(-(2 ** 31), end) : end;
  });
  const operands = [starts, ends, steps].map((list, k) =>
    e.sizes(k === 1 ? ends : axes.map((i) => list[i]!)),
  );
  const [start, end, step] = operands as [string, string, string];
  e.put(n, "Slice", [e.whole(x).name, start, end, e.list(axes), step]);
}

/** Writes what a node needs, which has been written, as operators. */
export function writeNode(e: Emitter, n: Node): void {
  (rules[n.op] as Rule<Op>)(e, n);
}
