import { dtypes } from "../base/dtype.ts";
import { NumberList } from "../base/number-list.ts";
import { pushAttributes } from "../ir/attributes.ts";
import { isOp, type Node, topological } from "../ir/node.ts";
import { type Op, ops } from "../ir/op.ts";
import { presentStorage, type Storage } from "./storage.ts";

/** What a signature has of an operation, looked up once a node. */
interface Known {
  readonly code: number;
  /** Whether it has no attributes that a plan depends on. */
  readonly plain: boolean;
  /** Whether it takes any number of operands. */
  readonly varies: boolean;
}

const known = new Map(
  (Object.keys(ops) as Op[]).map((op, code): [Op, Known] => {
    const { kind, operands } = ops[op];
    const plain = (kind === "elementwise" && op !== "cast") || kind === "identity";
    return [op, { code, plain, varies: operands < 0 }];
  }),
);
const dtypeCode = new Map(Object.keys(dtypes).map((d, i) => [d, i]));

/** Where the numbers of a graph are collected: one list for all graphs, since every round of a loop by hand makes some. */
const collected = new NumberList();

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

/** The signature of the graph under `roots`; the roots' positions are part of it. */
export function signatureOf(roots: readonly Node[], marks: readonly number[]): Signature {
  const order = topological(roots);
  const storages: Storage[] = [];
  const leaves: Node<"input">[] = [];
  const slots = new Map<Storage, number>();
  const scalars: Node<"hostScalar">[] = [];
  const constants: Node<"constant">[] = [];
  const constantPlaces: number[] = [];
  collected.clear();
  for (const n of order) {
    const { code, plain, varies } = known.get(n.op)!;
    collected.push(code);
    if (isOp(n, "input")) {
      const storage = presentStorage(n);
      let slot = slots.get(storage);
      if (slot === undefined) {
        slot = storages.length;
        slots.set(storage, slot);
        storages.push(storage);
        leaves.push(n);
      }
      collected.push(slot);
      collected.push(storage.resident ? 1 : 0);
      collected.push(dtypeCode.get(n.dtype)!);
      collected.pushAll(n.shape);
    } else if (isOp(n, "hostScalar")) {
      scalars.push(n);
      collected.push(dtypeCode.get(n.dtype)!);
    } else if (isOp(n, "constant")) {
      constants.push(n);
      constantPlaces.push(collected.length);
      collected.push(n.attrs.value);
      collected.push(dtypeCode.get(n.dtype)!);
    } else {
      // Of all others the code says how many there are.
      if (varies) collected.push(n.src.length);
      for (const s of n.src) collected.push(s.index);
      if (!plain) pushAttributes(collected, n);
    }
  }
  for (const root of roots) collected.push(root.index);
  for (const mark of marks) collected.push(mark);
  return {
    numbers: collected.copy(),
    hash: collected.hash(constantPlaces),
    order,
    storages,
    leaves,
    scalars,
    constants,
    constantPlaces,
  };
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
