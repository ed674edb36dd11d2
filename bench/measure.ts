import { median } from "./median.ts";
import { type Answer, PeerProcess } from "./peer-process.ts";
import type { System } from "./systems.ts";

/** One row of results: a workload on a system. */
export interface Result {
  workload: string;
  system: System["name"];
  backend: string;
  threads: number;
  captured: boolean;
  medianMs: number;
  minMs: number;
  runs: number;
  /** Largest resident memory of the process. */
  peakMiB: number;
}

/** A row, and what only tables show. */
export interface Measured {
  result: Result;
  label: string;
  firstStepMs: number;
  idleMiB: number | undefined;
  engineMiB: number | undefined;
}

/** What was measured, and what could not be. */
export interface Measurements {
  rows: Measured[];
  versions: Record<string, string>;
  /** Label of a system, or of a system and a workload, and why it is not in the rows. */
  absent: Map<string, string>;
}

/** What to measure, and how long. */
export interface MeasureOptions {
  systems: System[];
  workloads: string[];
  threads: number[];
  /** How many times each system has its turn. */
  rounds: number;
  /** How long each runs before its turns: engines that compile while a program runs are in their stride then. */
  warmupMs: number;
  /** The cores of a number of threads, as `taskset` wants them; undefined where nothing can be pinned. */
  cores(threads: number): string | undefined;
  progress(line: string): void;
}

/** How long a turn of one system is. */
const turnMs = 150;
/** A system may take so long for one workload before its turns become fewer. */
const limitMs = 20_000;
const mostIterations = 5_000;
/** A pause between turns, in which a peer's threads stop spinning and leave the cores to the next. */
const pauseMs = 30;

interface Running {
  system: System;
  peer: PeerProcess;
}

interface Samples extends Running {
  iterations: number;
  turns: number;
  first: Answer;
  last: Answer;
  ms: number[];
}

/** Runs all workloads on all systems, turn by turn so that a change of the machine's speed meets all alike. */
export async function measure(options: MeasureOptions): Promise<Measurements> {
  const found: Measurements = { rows: [], versions: {}, absent: new Map() };
  for (const threads of options.threads) {
    for (const workloads of groups(options.workloads)) {
      const running = await startAll(options, threads, workloads, found);
      try {
        for (const workload of workloads) {
          options.progress(`${workload}, ${threads} ${threads === 1 ? "core" : "cores"}`);
          found.rows.push(...(await interleave(running, workload, threads, options, found.absent)));
        }
      } finally {
        await Promise.all(running.map(({ peer }) => peer.stop()));
      }
    }
  }
  return found;
}

/** A training workload has its processes for itself, so that their peak memory is its own; products share theirs. */
function groups(workloads: string[]): string[][] {
  const products = workloads.filter(isMatmul);
  const alone = workloads.filter((workload) => !isMatmul(workload)).map((workload) => [workload]);
  return products.length > 0 ? [...alone, products] : alone;
}

function isMatmul(workload: string): boolean {
  return workload.startsWith("matmul-");
}

async function startAll(
  options: MeasureOptions,
  threads: number,
  workloads: string[],
  found: Measurements,
): Promise<Running[]> {
  const running: Running[] = [];
  for (const system of options.systems) {
    if (found.absent.has(system.label)) continue;
    if (system.sharesMatmul && workloads.every(isMatmul)) continue;
    try {
      const peer = await PeerProcess.start(system.command(threads), options.cores(threads));
      running.push({ system, peer });
      const node = peer.ready.node === undefined ? "" : ` (Node ${peer.ready.node.slice(1)})`;
      found.versions[system.name] = peer.ready.version + node;
    } catch (error) {
      found.absent.set(system.label, `${messageOf(error)}\n  to install: ${system.install}`);
    }
  }
  return running;
}

async function interleave(
  running: Running[],
  workload: string,
  threads: number,
  { rounds, warmupMs }: MeasureOptions,
  absent: Map<string, string>,
): Promise<Measured[]> {
  const all: Samples[] = [];
  for (const one of running) {
    try {
      all.push(await warmUp(one, workload, rounds, warmupMs));
    } catch (error) {
      absent.set(`${one.system.label}, ${workload}, threads ${threads}`, messageOf(error));
    }
  }
  for (let round = 0; round < rounds; round++) {
    // Each round begins with another system, so that none always follows the same one.
    for (let i = 0; i < all.length; i++) {
      const samples = all[(i + round) % all.length]!;
      if (round >= samples.turns) continue;
      const { iterations } = samples;
      const warmup = Math.floor(iterations / 10);
      samples.last = await samples.peer.ask({ workload, iterations, warmup });
      samples.ms.push(...samples.last.ms);
      await pause();
    }
  }
  return all.map((samples) => row(samples, workload, threads));
}

/** The first step, one more that may still compile, then more and more until they fill a turn; and such turns. */
async function warmUp(
  running: Running,
  workload: string,
  rounds: number,
  warmupMs: number,
): Promise<Samples> {
  const first = await running.peer.ask({ workload, iterations: 1 });
  let iterations = 1;
  let last = await running.peer.ask({ workload, iterations });
  while (sum(last.ms) < turnMs && iterations < mostIterations) {
    const each = Math.max(sum(last.ms) / iterations, 1e-3);
    iterations = Math.min(mostIterations, 4 * iterations, Math.ceil(turnMs / each) + 1);
    last = await running.peer.ask({ workload, iterations });
  }
  for (let spent = 0; spent < warmupMs; spent += sum(last.ms)) {
    last = await running.peer.ask({ workload, iterations });
  }
  await pause();
  const turns = Math.max(1, Math.min(rounds, Math.floor(limitMs / sum(last.ms))));
  return { ...running, iterations, turns, first, last, ms: [] };
}

function row({ system, peer, first, last, ms }: Samples, workload: string, threads: number): Measured {
  return {
    label: system.label,
    firstStepMs: first.firstStepMs!,
    idleMiB: peer.idleMiB,
    engineMiB: last.engineMiB,
    result: {
      workload,
      system: system.name,
      backend: peer.ready.backend ?? system.backend,
      threads,
      captured: last.captured,
      medianMs: median(ms),
      minMs: ms.reduce((least, each) => Math.min(least, each)),
      runs: ms.length,
      peakMiB: last.peakMiB,
    },
  };
}

function sum(values: number[]): number {
  return values.reduce((total, each) => total + each, 0);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pauseMs));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
