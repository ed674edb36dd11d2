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
const list = new NumberList();

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
  list.clear();
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    const { code, plain, varies } = known.get(n.op)!;
    list.push(code);
    if (isOp(n, "input")) {
      const storage = presentStorage(n);
      let slot = slots.get(storage);
      if (slot === undefined) {
        slot = storages.length;
        slots.set(storage, slot);
        storages.push(storage);
        leaves.push(n);
      }
      list.push(slot);
      list.push(storage.resident ? 1 : 0);
      list.push(dtypeCode.get(n.dtype)!);
      list.pushAll(n.shape);
    } else if (isOp(n, "hostScalar")) {
      scalars.push(n);
      list.push(dtypeCode.get(n.dtype)!);
    } else if (isOp(n, "constant")) {
      constants.push(n);
      constantPlaces.push(list.length);
      list.push(n.attrs.value);
      list.push(dtypeCode.get(n.dtype)!);
    } else {
      const { src } = n;
      // Of all others the code says how many there are.
      if (varies) list.push(src.length);
      for (let i = 0; i < src.length; i++) list.push(src[i]!.index);
      if (!plain) pushAttributes(list, n);
    }
  }
  for (const root of roots) list.push(root.index);
  for (const mark of marks) list.push(mark);
  const numbers = list.copy();
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
