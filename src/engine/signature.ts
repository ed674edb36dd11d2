import { dtypes } from "../base/dtype.ts";
import { attributeNames } from "../ir/attributes.ts";
import { isOp, type Node, topological } from "../ir/node.ts";
import { type Op, type OpAttrs, ops } from "../ir/op.ts";
import { presentStorage, type Storage } from "./storage.ts";

const opCode = new Map(Object.keys(ops).map((op, i) => [op as Op, i]));
/** By code, whether an operation has no attributes that a plan depends on. */
const plain = (Object.keys(ops) as Op[]).map(
  (op) => (ops[op].kind === "elementwise" && op !== "cast") || ops[op].kind === "identity",
);
/** By code, the names of the attributes. */
const names = (Object.keys(ops) as Op[]).map((op) => attributeNames[op]);
const dtypeCode = new Map(Object.keys(dtypes).map((d, i) => [d, i]));

/** A graph as numbers: equal numbers, equal plan. Leaves are numbered by first appearance. */
export interface Signature {
  readonly numbers: readonly number[];
  readonly hash: number;
  readonly order: readonly Node[];
  readonly storages: readonly Storage[];
  readonly leaves: readonly Node<"input">[];
  readonly scalars: readonly Node<"hostScalar">[];
  readonly constants: readonly Node<"constant">[];
  /** Where in `numbers` the value of each constant stands; `hash` leaves those out. */
  readonly constantPlaces: readonly number[];
}

function pushAttrs(out: number[], names: readonly string[], attrs: OpAttrs[Op]): void {
  for (let i = 0; i < names.length; i++) {
    const value = (attrs as Record<string, unknown>)[names[i]!];
    if (typeof value === "number") out.push(value);
    else if (typeof value === "string") out.push(dtypeCode.get(value)!);
    else if (typeof value === "boolean") out.push(value ? 1 : 0);
    else if (Array.isArray(value)) {
      out.push(value.length);
      for (const v of value) out.push(v as number);
    }
  }
}

/** The signature of the graph under `roots`; the roots' positions are part of it. */
export function signatureOf(roots: readonly Node[], marks: readonly number[]): Signature {
  const order = topological(roots);
  const numbers: number[] = [];
  const storages: Storage[] = [];
  const leaves: Node<"input">[] = [];
  const slots = new Map<Storage, number>();
  const scalars: Node<"hostScalar">[] = [];
  const constants: Node<"constant">[] = [];
  const constantPlaces: number[] = [];
  for (const n of order) {
    const code = opCode.get(n.op)!;
    numbers.push(code);
    if (isOp(n, "input")) {
      const storage = presentStorage(n);
      let slot = slots.get(storage);
      if (slot === undefined) {
        slot = storages.length;
        slots.set(storage, slot);
        storages.push(storage);
        leaves.push(n);
      }
      numbers.push(slot, storage.resident ? 1 : 0, dtypeCode.get(n.dtype)!, n.shape.length);
      for (const d of n.shape) numbers.push(d);
    } else if (isOp(n, "hostScalar")) {
      scalars.push(n);
      numbers.push(dtypeCode.get(n.dtype)!);
    } else if (isOp(n, "constant")) {
      constants.push(n);
      constantPlaces.push(numbers.length);
      numbers.push(n.attrs.value, dtypeCode.get(n.dtype)!);
    } else {
      // Of all others the code says how many there are.
      if (ops[n.op].operands < 0) numbers.push(n.src.length);
      for (const s of n.src) numbers.push(s.index);
      if (!plain[code]) pushAttrs(numbers, names[code]!, n.attrs);
    }
  }
  for (const root of roots) numbers.push(root.index);
  numbers.push(...marks);
  let hash = numbers.length;
  let skipped = 0;
  let skip = skipped < constantPlaces.length ? constantPlaces[skipped]! : -1;
  for (let i = 0; i < numbers.length; i++) {
    if (i === skip) {
      skip = ++skipped < constantPlaces.length ? constantPlaces[skipped]! : -1;
      continue;
    }
    const x = numbers[i]!;
    hash = (Math.imul(hash, 31) + (x | 0) + Math.imul((x * 65537) | 0, 7)) | 0;
  }
  return { numbers, hash, order, storages, leaves, scalars, constants, constantPlaces };
}

/** Whether two signatures stand for the same plan. */
export function sameSignature(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** Whether two signatures stand for the same plan, whatever stands in some places. */
export function sameElsewhere(
  a: readonly number[],
  b: readonly number[],
  whatever: ReadonlySet<number>,
): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i]) && !whatever.has(i)) return false;
  return true;
}
