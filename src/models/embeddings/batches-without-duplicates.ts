import { permutation } from "../../data/shuffle.ts";

/**
 * Numbers of rows in batches, in a random order, of which none has the same text twice: of what is right for one row,
 * nothing is then held to be wrong for another. A row that has a text of the batch waits for the next; so the last batches
 * may have fewer rows, and there may be more of them.
 *
 * Takes the texts of each row, of all its columns, how many rows a batch has, a seed, and the number of the pass over the
 * rows, each of which has another order. Within a row a text may be there twice.
 * Source: `NoDuplicatesBatchSampler` of sentence-transformers.
 */
export function batchesWithoutDuplicates(
  rows: readonly (readonly string[])[],
  batch: number,
  seed: number,
  pass: number,
): number[][] {
  const order = permutation(rows.length, seed, pass);
  const batches: number[][] = [];
  let waiting: number[] = [];
  for (let at = 0; at < order.length || waiting.length > 0; ) {
    const [chosen, texts, later]: [number[], Set<string>, number[]] = [[], new Set(), []];
    const offer = (row: number): void => {
      if (chosen.length === batch || rows[row]!.some((text) => texts.has(text))) later.push(row);
      else {
        chosen.push(row);
        for (const text of rows[row]!) texts.add(text);
      }
    };
    for (const row of waiting) offer(row);
    while (chosen.length < batch && at < order.length) offer(order[at++]!);
    batches.push(chosen);
    waiting = later;
  }
  return batches;
}
