import { dtypes } from "../base/dtype.ts";
import { hashBytes } from "../base/hash.ts";
import type { KernelCall } from "./kernel.ts";
import type { Exchange, Plan, SharedUpdate } from "./plan.ts";

/** Elements from which on an update is worth sharing out: fewer are done in the time that it takes to say where they are. */
const worthSharing = 65_536;

/** What `sharedUpdates` looks at of a plan. */
interface Ordered extends Pick<Plan, "calls" | "buffers" | "inputs"> {
  readonly exchanges: readonly Pick<Exchange, "at">[];
}

/**
 * By the parts of an exchange of two ranks, the kernels that update by their sums what all ranks have alike, and which ranks
 * may therefore share out: each makes the new values of some elements, and stores them on both. Such a kernel goes element
 * by element over memory that lasts, and takes nothing but that, the two gradients, and numbers. All that uses what it goes
 * over has been done when the last exchange begins, so that the other rank may store there as soon as that has ended.
 */
export function sharedUpdates(exchange: Omit<Exchange, "updates">, plan: Ordered): (SharedUpdate | null)[] {
  const { by, parts, takes } = exchange;
  if (by.size !== 2) return parts.map(() => null);
  const from = plan.exchanges.at(-1)!.at;
  const after = plan.calls.slice(from);
  return parts.map(({ buffer: own, length }, part) => {
    const taken = takes[1 - by.rank]![part];
    if (taken == null || length < worthSharing) return null;
    const users = after.filter((call) => uses(call, taken.buffer));
    const [call] = users;
    if (call === undefined || users.length > 1) return null;
    const stored = storedBy(call, length, plan);
    if (stored === null) return null;
    const given = new Set([own, taken.buffer, ...stored.map(({ buffer }) => buffer)]);
    const isAlike = call.accesses.every(({ buffer }) => given.has(buffer) || isNumber(buffer, plan));
    const isAlone = !after.some(
      (other) => other !== call && stored.some(({ buffer }) => uses(other, buffer)),
    );
    if (!isAlike || !isAlone) return null;
    return { call: from + after.indexOf(call), length, key: numberOf(call.kernel.key), stored };
  });
}

const uses = ({ accesses }: KernelCall, buffer: number): boolean =>
  accesses.some((access) => access.buffer === buffer);

/** Whether a buffer is one number, or there is none. */
const isNumber = (buffer: number, { buffers }: Ordered): boolean =>
  buffer < 0 || buffers[buffer]!.kind === "scalar" || buffers[buffer]!.kind === "constant";

/** What a kernel stores, if that is one element after the other of memory that lasts; null: it is something else. */
function storedBy(
  { kernel, extents, accesses }: KernelCall,
  length: number,
  { buffers, inputs }: Ordered,
): SharedUpdate["stored"] | null {
  if (kernel.kind !== "loop" || extents.length !== 1 || extents[0] !== length) return null;
  if (kernel.body.some(({ op }) => op === "reduce") || kernel.stores.some(({ adds }) => adds !== undefined))
    return null;
  const stored: { buffer: number; bytes: number }[] = [];
  for (const { access } of kernel.stores) {
    const { buffer, offset, strides } = accesses[access]!;
    const place = buffers[buffer]!;
    if (place.kind !== "input" || inputs[place.slot]!.offset !== null) return null;
    if (offset !== 0 || strides[0] !== 1) return null;
    stored.push({ buffer, bytes: dtypes[kernel.accesses[access]!.dtype].bytes });
  }
  return stored;
}

/** A number of 48 bits, which is another one for another text. */
const numberOf = (text: string): number =>
  Number.parseInt(hashBytes(new TextEncoder().encode(text)).slice(0, 12), 16);
