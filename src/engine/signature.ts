import { dtypes } from "../base/dtype.ts";
import { StaleTensorError } from "../base/errors.ts";
import { attributeNames } from "../ir/attributes.ts";
import { isOp, type Node, topological } from "../ir/node.ts";
import { type Op, type OpAttrs, ops } from "../ir/op.ts";
import type { Storage } from "./storage.ts";

const opCode = new Map(Object.keys(ops).map((op, i) => [op as Op, i]));
/** By code, whether an operation has no attributes that a plan depends on. */
const plain = (Object.keys(ops) as Op[]).map(
  (op) => (ops[op].kind === "elementwise" && op !== "cast") || ops[op].kind === "identity",
);
const dtypeCode = new Map(Object.keys(dtypes).map((d, i) => [d, i]));

/** A graph as numbers: equal numbers, equal plan. Leaves are numbered by first appearance. */
export interface Signature {
  readonly numbers: readonly number[];
  readonly hash: number;
  readonly order: readonly Node[];
  readonly storages: readonly Storage[];
  readonly leaves: readonly Node<"input">[];
  readonly scalars: readonly Node<"hostScalar">[];
}

function pushAttrs(out: number[], op: Op, attrs: OpAttrs[Op]): void {
  for (const name of attributeNames[op]) {
    const value = (attrs as Record<string, unknown>)[name];
    if (typeof value === "number") out.push(value);
    else if (typeof value === "string") out.push(dtypeCode.get(value)!);
    else if (typeof value === "boolean") out.push(value ? 1 : 0);
    else if (Array.isArray(value)) {
      out.push(value.length);
      for (const v of value) out.push(v as number);
    }
  }
}

/** Throws `StaleTensorError` if a leaf's value has been overwritten since the graph was made. */
function refuseStale(leaf: Node<"input">, storage: Storage): void {
  if (leaf.attrs.version !== storage.version)
    throw new StaleTensorError(
      `This tensor was computed from ${storage.label || "a parameter or buffer"} as it was before a step overwrote it, ` +
        "and was not kept. Call keep() on it before the step, or return it from the step.",
    );
}

/** The signature of the graph under `roots`; the roots' positions are part of it. */
export function signatureOf(roots: readonly Node[], marks: readonly number[]): Signature {
  const order = topological(roots);
  const numbers: number[] = [];
  const storages: Storage[] = [];
  const leaves: Node<"input">[] = [];
  const slots = new Map<Storage, number>();
  const scalars: Node<"hostScalar">[] = [];
  for (const n of order) {
    const code = opCode.get(n.op)!;
    numbers.push(code);
    if (isOp(n, "input")) {
      const storage = n.attrs.source as Storage;
      refuseStale(n, storage);
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
    } else {
      // Of all others the code says how many there are.
      if (n.op === "concat") numbers.push(n.src.length);
      for (const s of n.src) numbers.push(s.index);
      if (!plain[code]) pushAttrs(numbers, n.op, n.attrs);
    }
  }
  for (const root of roots) numbers.push(root.index);
  numbers.push(...marks);
  let hash = numbers.length;
  for (const x of numbers) hash = (Math.imul(hash, 31) + (x | 0) + Math.imul((x * 65537) | 0, 7)) | 0;
  return { numbers, hash, order, storages, leaves, scalars };
}

/** Whether two signatures stand for the same plan. */
export function sameSignature(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
