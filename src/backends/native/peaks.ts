import { generator } from "../../targets/c/generator.ts";
import { preludeC } from "../../targets/c/prelude.ts";
import { type CTarget, vectorsOf } from "../../targets/c/target.ts";
import { type CUnit, type LazyUnit, written } from "../../targets/c/unit.ts";
import type { Peaks } from "../contract.ts";
import { rowLayout } from "../table.ts";
import type { Runtime } from "./runtime.ts";
import type { KernelStore } from "./store.ts";

/** Sums enough to keep both of a core's multipliers busy, few enough for every machine's registers. */
const sums = Array.from({ length: 12 }, (_, i) => `s${i}`);

/** Rounds of all sums that are one task, and bytes of each of the three arrays of a triad that are. */
const [rounds, stretch] = [1024, 65536];

/** Fused multiply-adds in registers, two operations a lane. */
const flopsBody = `
void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  vf a = splat_vf(0.999f), b = splat_vf(1e-3f), ${sums.map((s, i) => `${s} = splat_vf(${i + 1}.0f)`).join(", ")};
  for (i64 n = begin * ${rounds}; n < end * ${rounds}; n++) {
    ${sums.map((s) => `${s} = fma_vf(${s}, a, b);`).join(" ")}
  }
  *(v_f32_m *)scratch = ${sums.join(" + ")};
  (void)args;
}
`;

/** A triad, a = b + s · c, over three long arrays. */
const bytesBody = `
void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  char *a = (char *)args[0], *b = (char *)args[1], *c = (char *)args[2];
  vf s = splat_vf(0.5f);
  for (i64 at = begin * ${stretch}; at < end * ${stretch}; at += sizeof(vf))
    *(v_f32_m *)(a + at) = *(v_f32_m *)(b + at) + s * *(v_f32_m *)(c + at);
  (void)scratch;
}
`;

/** The C of both kernels: of operations, and of bytes. Only what measures needs them, and no first step waits for them. */
export const peakUnits = (target: CTarget): LazyUnit[] =>
  [flopsBody, bytesBody].map((body, i) => {
    const write = (): CUnit => ({ prelude: preludeC(target, false), functions: [], body });
    return generator === null ? written(write()) : { key: `${generator} peak ${i}`, write };
  });

/** A row of a table, and its arguments, in a block of memory. */
interface Row {
  readonly run: number;
  readonly args: readonly number[];
  readonly total: number;
  readonly chunk: number;
}

/** The least time of some runs of a row, in seconds. */
function leastTime(runtime: Runtime, { run, args, total, chunk }: Row, budget: number): number {
  const layout = rowLayout(8);
  const bytes = layout.bytes + args.length * 8;
  const table = runtime.allocate(bytes);
  const words = new BigInt64Array(runtime.view(table, bytes));
  words[layout.function / 8] = BigInt(run);
  words[layout.args / 8] = BigInt(table + layout.bytes);
  words[layout.total / 8] = BigInt(total);
  words[layout.chunk / 8] = BigInt(chunk);
  words.set(args.map(BigInt), layout.bytes / 8);
  const ends = new Float64Array(1);
  let least = Number.POSITIVE_INFINITY;
  for (const start = performance.now(); performance.now() - start < budget * 1000; ) {
    runtime.walkTimed(runtime.address, table, 1, 1, ends);
    least = Math.min(least, ends[0]! * 1e-9);
  }
  runtime.release(table, bytes);
  return least;
}

/** What `threads` threads can do together: FLOP/s of f32, and bytes/s to and from memory; 0 where it cannot be measured. */
export function measurePeaks(runtime: Runtime, store: KernelStore, target: CTarget, threads: number): Peaks {
  const [flops, bytes] = store.obtain(peakUnits(target)).map((path) => runtime.load(path)) as [
    number,
    number,
  ];
  const tasks = threads * 256;
  const operations = 2 * sums.length * rounds * vectorsOf(target, false).lanes * tasks;
  const perSecond = operations / leastTime(runtime, { run: flops, args: [], total: tasks, chunk: 16 }, 0.03);
  const length = 64 * 2 ** 20;
  const memory = runtime.allocate(3 * length);
  if (memory === 0) return { flops: perSecond, bytes: 0 };
  new Uint8Array(runtime.view(memory, 3 * length)).fill(0);
  const args = [memory, memory + length, memory + 2 * length];
  const row = { run: bytes, args, total: length / stretch, chunk: 32 };
  const moved = (3 * length) / leastTime(runtime, row, 0.05);
  runtime.release(memory, 3 * length);
  return { flops: perSecond, bytes: moved };
}
