import { median } from "../median.ts";
/** Something to time: one iteration of it. */
export type Iterate = () => unknown;

/** How long each thing's turns are, and how many it has. */
export interface TurnOptions {
  /** Iterations a turn. */
  iterations: number;
  rounds: number;
}

/**
 * Times things turn by turn, so that a change of the machine's speed meets all of them alike. Gives for each the
 * milliseconds of an iteration, as the median of each of its turns. Each thing runs for 250 ms before: a step of some
 * microseconds has then been called ten thousand times, and is timed as V8 has compiled it.
 */
export async function turns<K extends string>(
  things: Readonly<Record<K, Iterate>>,
  { iterations, rounds }: TurnOptions,
): Promise<Record<K, number[]>> {
  const names = Object.keys(things) as K[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (const name of names)
    for (const end = performance.now() + 250; performance.now() < end; ) await things[name]();
  for (let round = 0; round < rounds; round++)
    // Each round begins with another, so that none always follows the same one.
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!;
      times[name].push(median(await timesOf(things[name], iterations)));
    }
  return times;
}

/** The milliseconds of each of some iterations. */
export async function timesOf(iterate: Iterate, iterations: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < iterations; i++) {
    const start = performance.now();
    await iterate();
    times.push(performance.now() - start);
  }
  return times;
}

/** The median over rounds of what a formula makes of the times of one round. */
export function overRounds<K extends string>(
  times: Readonly<Record<K, readonly number[]>>,
  formula: (round: Record<K, number>) => number,
): number {
  const names = Object.keys(times) as K[];
  const rounds = times[names[0]!].map(
    (_, i) => Object.fromEntries(names.map((name) => [name, times[name][i]!])) as Record<K, number>,
  );
  return median(rounds.map(formula));
}
