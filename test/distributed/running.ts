import { fileURLToPath } from "node:url";
import { type RankFailure, type RanksOptions, type RunningRanks, runMpi, startRanks } from "thaw/distributed";

/** What ranks have said, and how they ended. */
export interface Ran {
  readonly failure: RankFailure | null;
  /** Of each rank, the lines that it wrote that are JSON. */
  readonly said: readonly Record<string, unknown>[][];
  readonly errors: readonly string[];
  readonly notices: readonly string[];
  readonly seconds: number;
}

/** Runs a script of this folder on ranks, which write what they have to say as lines of JSON. */
export async function ran(
  script: string,
  args: readonly string[],
  options: Partial<RanksOptions> = {},
  started: (running: RunningRanks, said: readonly unknown[][]) => void = () => {},
): Promise<Ran> {
  const ranks = options.ranks ?? 2;
  const said = Array.from({ length: ranks }, (): Record<string, unknown>[] => []);
  const [errors, notices]: string[][] = [[], []];
  const began = performance.now();
  const running = startRanks(new URL(script, import.meta.url), {
    ranks,
    args,
    output: (rank, line, stream) => {
      if (stream === "stderr") errors!.push(`[${rank}] ${line}`);
      else said[rank]!.push(JSON.parse(line) as Record<string, unknown>);
    },
    notice: (text) => notices!.push(text),
    ...options,
  });
  started(running, said);
  const failure = await running.result;
  return { failure, said, errors: errors!, notices: notices!, seconds: (performance.now() - began) / 1000 };
}

/** Runs a script of this folder on ranks of MPI, which write what they have to say as lines of JSON. */
export async function ranOnMpi(
  mpirun: string,
  [script, ...args]: readonly [string, ...string[]],
  { ranks = 2, timeout = 60, restarts = 0 } = {},
) {
  const said = Array.from({ length: ranks }, (): Record<string, unknown>[] => []);
  const [errors, notices]: string[][] = [[], []];
  const path = fileURLToPath(new URL(script, import.meta.url));
  const status = await runMpi([process.execPath, path, ...args], {
    ranks,
    restarts,
    timeout,
    mpirun,
    output: (rank, line, stream) => {
      if (rank === null || stream === "stderr") return void errors!.push(line);
      said[rank]!.push(JSON.parse(line));
    },
    notice: (text) => notices!.push(text),
  });
  return { status, said, errors: errors!, notices: notices! };
}
