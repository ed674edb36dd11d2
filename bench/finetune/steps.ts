import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { coresFor } from "../machine.ts";
import { median } from "../median.ts";
import { type Answer, PeerProcess } from "../peer-process.ts";
import type { Figure } from "./run.ts";
import type { TokenRows } from "./texts.ts";

/** What is trained, and what part of PyTorch's time a step may take. */
export interface StepCase {
  readonly kind: string;
  readonly what: string;
  readonly bar: number;
}

export interface StepOptions {
  readonly model: string;
  readonly inputs: string;
  readonly tokens: TokenRows;
  readonly python: string;
  readonly compiled: boolean;
  /** Beside the backend in wasm, and not beside PyTorch. */
  readonly isWasm: boolean;
  readonly rounds: number;
  say(line: string): void;
}

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** A peer, and what it has answered: the first pass over all batches, and a time for each pass after it. */
interface Measured {
  readonly name: string;
  readonly peer: PeerProcess;
  readonly first: Answer;
  readonly passes: number[];
  last: Answer;
}

/** Steps of one case, in turns: each turn is a pass over all batches. */
export async function measureSteps(
  { kind, what, bar }: StepCase,
  size: number,
  { model, inputs, tokens, python, compiled, isWasm, rounds, say }: StepOptions,
): Promise<Figure[]> {
  const workload = `${kind} ${size}`;
  const batches = Math.floor(tokens.rows.length / size);
  const common = ["--model", model, "--inputs", inputs];
  const thaw = [process.execPath, file("thaw.mjs"), ...common];
  const pytorch = [python, file("pytorch.py"), ...common];
  const commands: Record<string, string[]> = {
    // Kernels are compiled by a process of its own, so that the one that is measured finds them on disk.
    compiling: ["env", "THAW_THREADS=1", ...thaw],
    thaw: ["env", "THAW_THREADS=1", ...thaw],
    ...(isWasm ? { wasm: ["env", "THAW_THREADS=1", "THAW_BACKEND=wasm", ...thaw] } : { eager: pytorch }),
    ...(compiled && !isWasm ? { compiled: [...pytorch, "--compiled"] } : {}),
  };
  const measured: Measured[] = [];
  for (const [name, command] of Object.entries(commands)) {
    if (command === pytorch && !hasPython(python)) {
      say(`${python} has no transformers: steps are not compared`);
      continue;
    }
    say(`${workload}: ${name}`);
    const peer = await PeerProcess.start(command, coresFor(1));
    const first = await peer.ask({ workload, iterations: batches - 1 });
    if (name === "compiling") await peer.stop();
    else measured.push({ name, peer, first, passes: [], last: first });
  }
  const own = measured[0]!;
  const ownSteps: number[][] = [];
  for (let round = 0; round < rounds; round++)
    for (const one of measured) {
      one.last = await one.peer.ask({ workload, iterations: batches });
      one.passes.push(sum(one.last.ms));
      if (one === own) ownSteps.push(one.last.ms);
    }
  for (const { peer } of measured) await peer.stop();
  const perStep = ({ name, passes }: Measured) => `${name} ${(median(passes) / batches).toFixed(1)} ms`;
  const times = measured.map(perStep).join(", ");
  const label = `${what}, batch ${size}`;
  const ratio = (a: Measured, b: Measured): number => median(a.passes.map((ms, i) => ms / b.passes[i]!));
  if (isWasm) {
    const wasm = measured[1]!;
    return [{ what: `${label}: wasm / native`, value: ratio(wasm, own), unit: "", bar: 3.5, of: times }];
  }
  const figures: Figure[] = [];
  const others = measured.slice(1);
  if (others.length > 0) {
    const fastest = others.reduce((a, b) => (median(a.passes) <= median(b.passes) ? a : b));
    const peaks = measured.map(({ name, last }) => `${name} ${last.peakMiB.toFixed(0)} MiB`).join(", ");
    const memory = own.last.peakMiB / fastest.last.peakMiB;
    figures.push({ what: `${label}: a step`, value: ratio(own, fastest), unit: "", bar, of: times });
    figures.push({ what: `${label}: peak memory`, value: memory, unit: "", bar: 0.7, of: peaks });
  }
  const firstMs = own.first.firstStepMs!;
  figures.push({
    what: `${label}: open, first step`,
    value: firstMs,
    unit: "ms",
    bar: 1500,
    of: "warm cache",
  });
  // The first batch of each length but the very first: what it takes beyond a later pass.
  const lengths = Array.from({ length: batches }, (_, i) => {
    const longest = Math.max(...tokens.rows.slice(i * size, (i + 1) * size).map((row) => row.length));
    return Math.ceil(longest / 8) * 8;
  });
  const added = lengths.flatMap((length, i) =>
    lengths.indexOf(length) < i || i === 0
      ? []
      : [own.first.ms[i - 1]! - median(ownSteps.map((steps) => steps[i]!))],
  );
  if (added.length > 0) {
    const of = `median of ${added.length}, at most ${Math.max(...added).toFixed(0)} ms`;
    figures.push({ what: `${label}: a new length`, value: median(added), unit: "ms", bar: 20, of });
  }
  return figures;
}

const hasPython = (python: string): boolean =>
  spawnSync(python, ["-c", "import torch, transformers"], { stdio: "ignore" }).status === 0;
