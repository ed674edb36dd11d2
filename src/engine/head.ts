import { type DType, windowsOf } from "../base/dtype.ts";
import { equalBytes } from "../base/equal-bytes.ts";
import { type Signature, sameElsewhere, sameSignature, signatureOf } from "./signature.ts";
import type { Storage } from "./storage.ts";
import type { Holder, Resident, Trace } from "./trace.ts";

/**
 * What a user's function asks for, without its graph. All that a captured call does follows from it and from cells, so a
 * call that is recorded again is compared by it, and where it is the same nothing else is recorded.
 */
export interface Head {
  readonly numbers: Float64Array;
  /** Of constants, where their values stand in the numbers, and what they are. */
  readonly constantPlaces: readonly number[];
  readonly constants: readonly { readonly value: number; readonly dtype: DType }[];
  readonly storages: readonly Storage[];
  /** Per storage, the argument that it stands for; -1: none. */
  readonly fromArgument: readonly number[];
  readonly written: readonly Resident[];
  /** Per host event, whether it is an effect; else it is a number. */
  readonly effects: readonly boolean[];
  /** Per node, whether a gradient flows through it: what is made in `noGrad` is else as any other. */
  readonly tracked: readonly boolean[];
  /** What the function gives, but for what its tensors are. */
  readonly form: readonly unknown[];
}

/**
 * What has been asked for in a trace so far, by a function that gave some results, in an order and a form; `leaves` stand
 * for its arguments.
 */
export function headOf(
  trace: Trace,
  results: readonly Holder[],
  form: readonly unknown[],
  leaves: readonly Storage[],
): { readonly head: Head; readonly constants: Signature["constants"] } {
  const [writes, { checks, events }] = [[...trace.writes], trace];
  const roots = [
    ...results.map((h) => h.node),
    ...writes.map(([, value]) => value),
    ...checks.map(({ status }) => status),
  ];
  const { order, numbers, constants, constantPlaces, storages } = signatureOf(roots, [
    results.length,
    writes.length,
  ]);
  const head = {
    numbers,
    constantPlaces,
    constants: constants.map(({ dtype, attrs: { value } }) => ({ value, dtype })),
    storages,
    fromArgument: storages.map((storage) => leaves.indexOf(storage)),
    written: writes.map(([resident]) => resident),
    effects: events.map((event) => "effect" in event),
    tracked: order.map((n) => n.tracked),
    form,
  };
  return { head, constants };
}

/** Whether two heads are the same in form: the same operations, whatever their constants and storages are. */
export const sameForm = (a: Head, b: Head): boolean =>
  sameElsewhere(a.numbers, b.numbers, new Set(b.constantPlaces));

/** Whether two functions give the same, but for what its tensors are. */
export const sameResult = (a: Head, b: Head): boolean => sameList(a.form, b.form);

/** Whether gradients flow through the same nodes of two heads of one form. */
export const sameTracked = (a: Head, b: Head): boolean => sameList(a.tracked, b.tracked);

/** Whether two heads of one form read and write the same, and do as many things on the host. */
const sameUse = (a: Head, b: Head): boolean =>
  a.storages.every((_, i) => sameStorage(a, b, i)) &&
  sameList(a.written, b.written) &&
  sameList(a.effects, b.effects) &&
  sameTracked(a, b) &&
  sameResult(a, b);

/** Whether two heads are the same in everything. */
export const sameHead = (a: Head, b: Head): boolean => sameSignature(a.numbers, b.numbers) && sameUse(a, b);

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((x, i) => Object.is(x, b[i]));

/** Whether a storage is the same argument in both, the same memory, or of equal values: an array made anew. */
function sameStorage(a: Head, b: Head, i: number): boolean {
  if (a.fromArgument[i] !== b.fromArgument[i]) return false;
  const [mine, theirs] = [a.storages[i]!, b.storages[i]!];
  if (a.fromArgument[i]! >= 0 || mine === theirs) return true;
  return !mine.resident && !theirs.resident && sameBytes(mine, theirs);
}

function sameBytes(a: Storage, b: Storage): boolean {
  if (a.byteLength !== b.byteLength) return false;
  return [...windowsOf(a.byteLength)].every(([from, length]) => {
    const [x, y] = [a.bytes(from, length), b.bytes(from, length)];
    return x !== null && y !== null && equalBytes(x, y);
  });
}
