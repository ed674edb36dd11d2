import { readFixture } from "../fixture.ts";

/** A parameter's value and state at the end, by name; what JSON cannot say is a string. */
export type Recorded = Record<string, unknown>;

/** What PyTorch did to a parameter that it was told to leave alone; see leaks.py. */
export interface Leak {
  readonly optimizer: string;
  readonly way: string;
  readonly options: object;
  readonly kind: string;
  readonly clip: "none" | "norm" | "value";
  /** Elements of each tensor whose bits differ after three steps. */
  readonly moved: Readonly<Record<string, number>>;
  readonly rowsMoved: readonly number[];
  readonly held: Recorded;
  readonly free: Recorded;
}

/** leaks.json.gz. */
export interface Leaks {
  readonly held: number[][];
  readonly free: number[];
  readonly warm: number[][][];
  readonly freeGradient: number[];
  /** What moves around parameters that require no gradient. */
  readonly surroundings: {
    readonly batchNorm: { batch: number[][]; runningMean: number[]; runningVar: number[] };
    readonly average: { decay: number; start: number; value: number; updates: number; average: number };
  };
  readonly cases: readonly Leak[];
}

/** What PyTorch's own ways of freezing leak. */
export const leaks = readFixture<Leaks>("freeze/leaks.json.gz");

/** Whether any bit of each tensor, and number, of a parameter moved in PyTorch. */
export function movesInPyTorch(
  optimizer: string,
  way: string,
  kind: string,
  clip: Leak["clip"] = "none",
): Record<string, boolean> {
  const found = leaks.cases.find(
    (leak) => leak.optimizer === optimizer && leak.way === way && leak.kind === kind && leak.clip === clip,
  );
  if (found === undefined) throw new Error(`leaks.json.gz has no ${optimizer}, ${way}, ${kind}, ${clip}`);
  return Object.fromEntries(Object.entries(found.moved).map(([name, elements]) => [name, elements > 0]));
}
