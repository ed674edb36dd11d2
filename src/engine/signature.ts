import { dtypes } from "../base/dtype.ts";
import { attributeNames } from "../ir/attributes.ts";
import { isOp, type Node, topological } from "../ir/node.ts";
import { type Op, type OpAttrs, ops, type Source } from "../ir/op.ts";
import { presentStorage, type Storage } from "./storage.ts";

/** What a signature has of an operation, looked up once a node. */
interface Known {
  readonly code: number;
  /** Whether it has no attributes that a plan depends on. */
  readonly plain: boolean;
  readonly names: readonly string[];
  /** Whether it takes any number of operands. */
  readonly varies: boolean;
}

const known = new Map(
  (Object.keys(ops) as Op[]).map((op, code): [Op, Known] => {
    const { kind, operands } = ops[op];
    const plain = (kind === "elementwise" && op !== "cast") || kind === "identity";
    return [op, { code, plain, names: attributeNames[op], varies: operands < 0 }];
  }),
);
const dtypeCode = new Map(Object.keys(dtypes).map((d, i) => [d, i]));

/**
 * Where the numbers of a graph are collected before their count is known: one array for all graphs, since every round of a
 * loop by hand makes some. It is as long as the longest signature so far.
 */
let collected = new Float64Array(1024);
let count = 0;

function push(x: number): void {
  if (count === collected.length) {
    const longer = new Float64Array(2 * count);
    longer.set(collected);
    collected = longer;
  }
  collected[count++] = x;
}

/** A graph as numbers: equal numbers, equal plan. Leaves are numbered by first appearance. */
export interface Signature {
  readonly numbers: Float64Array;
  readonly hash: number;
  readonly order: readonly Node[];
  readonly storages: readonly Storage[];
  readonly leaves: readonly Node<"input">[];
  readonly scalars: readonly Node<"hostScalar">[];
  readonly constants: readonly Node<"constant">[];
  /** Where in `numbers` the value of each constant stands; `hash` leaves those out. */
  readonly constantPlaces: readonly number[];
}

function pushAttrs(names: readonly string[], attrs: OpAttrs[Op]): void {
  for (let i = 0; i < names.length; i++) {
    const value = (attrs as Record<string, unknown>)[names[i]!];
    if (typeof value === "number") push(value);
    else if (typeof value === "string") push(dtypeCode.get(value)!);
    else if (typeof value === "boolean") push(value ? 1 : 0);
    else if (Array.isArray(value)) {
      push(value.length);
      for (const v of value) push(v as number);
    } else push((value as Source).id); // The group of ranks that an allReduce is of.
  }
}

/** The signature of the graph under `roots`; the roots' positions are part of it. */
export function signatureOf(roots: readonly Node[], marks: readonly number[]): Signature {
  const order = topological(roots);
  const storages: Storage[] = [];
  const leaves: Node<"input">[] = [];
  const slots = new Map<Storage, number>();
  const scalars: Node<"hostScalar">[] = [];
  const constants: Node<"constant">[] = [];
  const constantPlaces: number[] = [];
  count = 0;
  for (const n of order) {
    const { code, plain, names, varies } = known.get(n.op)!;
    push(code);
    if (isOp(n, "input")) {
      const storage = presentStorage(n);
      let slot = slots.get(storage);
      if (slot === undefined) {
        slot = storages.length;
        slots.set(storage, slot);
        storages.push(storage);
        leaves.push(n);
      }
      push(slot);
      push(storage.resident ? 1 : 0);
      push(dtypeCode.get(n.dtype)!);
      push(n.shape.length);
      for (const d of n.shape) push(d);
    } else if (isOp(n, "hostScalar")) {
      scalars.push(n);
      push(dtypeCode.get(n.dtype)!);
    } else if (isOp(n, "constant")) {
      constants.push(n);
      constantPlaces.push(count);
      push(n.attrs.value);
      push(dtypeCode.get(n.dtype)!);
    } else {
      // Of all others the code says how many there are.
      if (varies) push(n.src.length);
      for (const s of n.src) push(s.index);
      if (!plain) pushAttrs(names, n.attrs);
    }
  }
  for (const root of roots) push(root.index);
  for (const mark of marks) push(mark);
  const numbers = collected.slice(0, count);
  return {
    numbers,
    hash: hashOf(numbers, constantPlaces),
    order,
    storages,
    leaves,
    scalars,
    constants,
    constantPlaces,
  };
}

/** A hash of numbers but for those in some places, which ascend. */
function hashOf(numbers: Float64Array, but: readonly number[]): number {
  let hash = numbers.length;
  let from = 0;
  for (let i = 0; i <= but.length; i++) {
    const to = i < but.length ? but[i]! : numbers.length;
    for (let at = from; at < to; at++) {
      const x = numbers[at]! | 0;
      hash = (Math.imul(hash, 31) + x + Math.imul(x, 458_759)) | 0;
    }
    from = to + 1;
  }
  return hash;
}

/** Whether two signatures stand for the same plan. */
export function sameSignature(a: Float64Array, b: Float64Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** Whether two signatures stand for the same plan, whatever stands in some places. */
export function sameElsewhere(a: Float64Array, b: Float64Array, whatever: ReadonlySet<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i]) && !whatever.has(i)) return false;
  return true;
}
