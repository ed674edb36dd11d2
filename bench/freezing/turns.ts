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
 * milliseconds of an iteration, as the median of each of its turns; a first turn, in which code warms up, is left out.
 */
export async function turns<K extends string>(
  things: Readonly<Record<K, Iterate>>,
  { iterations, rounds }: TurnOptions,
): Promise<Record<K, number[]>> {
  const names = Object.keys(things) as K[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let round = 0; round <= rounds; round++)
    // Each round begins with another, so that none always follows the same one.
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!;
      const turn = await timesOf(things[name], iterations);
      if (round > 0) times[name].push(median(turn));
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
