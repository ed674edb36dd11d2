import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ran } from "./running.ts";

/** How far ranks are from one process that sees all their data, after many steps by an optimizer. */
export interface LongRun {
  readonly name: string;
  /** The length of the difference from one process with the rows in the order of ranks. */
  readonly ofRanks: number;
  /** The largest such difference of two runs of one process with the rows in other orders. */
  readonly ofOrders: number;
  /** Whether all ranks have the same bits. */
  readonly alike: boolean;
}

interface Ended {
  readonly name: string;
  readonly values: readonly number[];
}

const orders = 4;

/** Trains by some optimizers ("all": all), on ranks and in one process. */
export async function longRuns(names: string, steps: number, ranks: number): Promise<LongRun[]> {
  const args = [names, `${steps}`, `${ranks}`];
  const { failure, said } = await ran("./long-run.mjs", args, { ranks });
  if (failure !== null) throw new Error(failure.message);
  const script = fileURLToPath(new URL("./long-run.mjs", import.meta.url));
  const whole: Ended[][] = [];
  for (let order = 0; order < orders; order++) {
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...args, `${order}`]);
    whole.push(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Ended),
    );
  }
  return (said[0] as unknown as Ended[]).map(({ name, values }, i) => {
    const all = whole.map((ended) => ended[i]!.values);
    const pairs = all.flatMap((a, j) => all.slice(j + 1).map((b) => distance(a, b)));
    const alike = said.every((each) => String((each[i] as unknown as Ended).values) === String(values));
    return { name, ofRanks: distance(values, all[0]!), ofOrders: Math.max(...pairs), alike };
  });
}

const distance = (a: readonly number[], b: readonly number[]): number =>
  Math.hypot(...a.map((x, i) => x - b[i]!));
