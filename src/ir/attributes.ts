import { dtypes } from "../base/dtype.ts";
import type { NumberList } from "../base/number-list.ts";
import { isOp } from "./node.ts";
import type { Node, Op, OpAttrs, Source } from "./op.ts";

/** Every attribute of every primitive; one that is left out, or is none, does not compile. */
const named: { readonly [K in Op]: { readonly [A in keyof OpAttrs[K]]-?: true } } = {
  input: { source: true, version: true, shape: true, dtype: true },
  constant: { value: true, dtype: true },
  hostScalar: { compute: true, dtype: true },
  iota: { shape: true, axis: true, dtype: true },
  variable: { owner: true },
  detach: {},
  stated: { rules: true },
  recomputed: { block: true },
  custom: { call: true },
  customResult: { index: true },
  neg: {},
  abs: {},
  sign: {},
  floor: {},
  ceil: {},
  round: {},
  sqrt: {},
  exp: {},
  log: {},
  expm1: {},
  log1p: {},
  sin: {},
  cos: {},
  tanh: {},
  sigmoid: {},
  erf: {},
  erfc: {},
  relu: {},
  not: {},
  cast: { dtype: true },
  add: {},
  sub: {},
  mul: {},
  div: {},
  pow: {},
  max: {},
  min: {},
  remainder: {},
  eq: {},
  lt: {},
  le: {},
  and: {},
  or: {},
  xor: {},
  shl: {},
  shr: {},
  where: {},
  fma: {},
  sum: { axes: true },
  maxReduce: { axes: true },
  minReduce: { axes: true },
  prod: { axes: true },
  argmax: { axis: true },
  reshape: { shape: true },
  permute: { axes: true },
  expand: { shape: true },
  slice: { start: true, size: true, step: true },
  pad: { low: true, high: true, value: true },
  concat: { axis: true },
  barrier: { phase: true },
  dot: { leftBatch: true, rightBatch: true, leftContract: true, rightContract: true },
  gather: { axis: true },
  scatterAdd: { axis: true },
  scatter: { axis: true },
  argsort: { axis: true, descending: true },
  cumsum: { axis: true },
  attention: { causal: true, masked: true, scale: true, dropout: true, byHead: true },
  attentionGradient: { causal: true, masked: true, scale: true, dropout: true, byHead: true, of: true },
  allReduce: { by: true, turn: true },
  exchange: { by: true, turn: true, shares: true },
  received: { rank: true, part: true, shape: true },
  randomBits: { shape: true },
};

/**
 * The names of each primitive's attributes, in the one order in which they are compared and counted: objects have
 * theirs in the order in which somebody wrote them down.
 */
export const attributeNames = Object.fromEntries(
  Object.entries(named).map(([op, names]) => [op, Object.keys(names)]),
) as Record<string, readonly string[]> as { readonly [K in Op]: readonly string[] };

const dtypeCode = new Map(Object.keys(dtypes).map((d, i) => [d, i]));

/** Writes the attributes of a node down as numbers; those that are objects or functions are for the caller to see to. */
export function pushAttributes(list: NumberList, n: Node): void {
  // What graphs are full of is not looked up by name.
  if (isOp(n, "reshape") || isOp(n, "expand")) list.pushAll(n.attrs.shape);
  else if (isOp(n, "sum") || isOp(n, "permute")) list.pushAll(n.attrs.axes);
  else if (isOp(n, "dot")) {
    list.pushAll(n.attrs.leftBatch);
    list.pushAll(n.attrs.rightBatch);
    list.pushAll(n.attrs.leftContract);
    list.pushAll(n.attrs.rightContract);
  } else pushNamed(list, attributeNames[n.op], n.attrs);
}

function pushNamed(list: NumberList, names: readonly string[], attrs: OpAttrs[Op]): void {
  for (let i = 0; i < names.length; i++) {
    const value = (attrs as Record<string, unknown>)[names[i]!];
    if (typeof value === "number") list.push(value);
    else if (typeof value === "string") list.push(dtypeCode.get(value)!);
    else if (typeof value === "boolean") list.push(value ? 1 : 0);
    else if (Array.isArray(value)) list.pushAll(value as number[]);
    else list.push((value as Source).id); // The group of ranks that an allReduce is of.
  }
}
