import { permutation } from "../../data/shuffle.ts";

/** Batches of which examples are sorted by length together, where they are. */
const sorted = 64;

/** Sets the order of sorted batches apart from that of examples, which is of the same seed. */
const purpose = 0x6261746368;

/**
 * The batches of an epoch, from 0: numbers of examples in a random order, which seed and epoch make. With lengths, those of
 * like lengths share a batch, as far as examples that are near in that order have such; batches are then in a random order.
 */
export function dealt(
  length: number,
  {
    batch,
    seed,
    epoch,
    lengths,
  }: { batch: number; seed: number; epoch: number; lengths: readonly number[] | null },
): number[][] {
  const order = Array.from(permutation(length, seed, epoch));
  if (lengths === null) return chunks(order, batch);
  const batches = chunks(order, sorted * batch).flatMap((some) =>
    chunks(
      some.sort((a, b) => lengths[a]! - lengths[b]!),
      batch,
    ),
  );
  return Array.from(permutation(batches.length, seed, purpose + epoch), (i) => batches[i]!);
}

/** A list in parts of some length, of which the last may be shorter. */
export function chunks<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < list.length; at += size) parts.push(list.slice(at, at + size));
  return parts;
}
