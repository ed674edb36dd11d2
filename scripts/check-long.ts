// Trains a tiny network on two ranks for 100,000 steps, or as many as are named, on threads and on both kinds of MPI, and
// checks that memory, file descriptors, threads and mappings are no more at the end than after half of them. Linux.
import { fileURLToPath, pathToFileURL } from "node:url";

const steps = Number(process.argv[2] ?? 100_000);
const looks = steps / 10;
const entry = new URL("../dist/index.js", import.meta.url).href;
const { distributed }: typeof import("../src/index.ts") = await import(entry);
const program = fileURLToPath(new URL("long/program.mjs", import.meta.url));

type Held = Readonly<Record<string, number>>;

/** How much more there may be in the end: memory in bytes, as allocators keep some; of all else nothing. */
const spare: Held = {
  rss: 2 ** 23,
  heapUsed: 2 ** 19,
  external: 2 ** 18,
  arrayBuffers: 2 ** 18,
  mappings: 16,
};

for (const start of ["threads", "mpirun.openmpi", "mpirun.mpich"]) {
  const said: Held[][] = [[], []];
  const output = (rank: number | null, line: string): void => {
    if (rank === null || !line.startsWith("{")) console.log(line);
    else said[rank]!.push(JSON.parse(line) as Held);
  };
  const args = [entry, `${steps}`, `${looks}`];
  const began = performance.now();
  const hasEnded =
    start === "threads"
      ? (await distributed.startRanks(pathToFileURL(program), { ranks: 2, args, output }).result) === null
      : // Where V8 lets what is young take more, that is once, at any time, and 16 MiB.
        (await distributed.runMpi([process.execPath, "--max-semi-space-size=1", program, ...args], {
          ...{ ranks: 2, restarts: 0, timeout: 60, mpirun: start },
          ...{ output, notice: console.log },
        })) === 0;
  const seconds = (performance.now() - began) / 1000;
  console.log(`${start}: ${steps} steps in ${seconds.toFixed(0)} s`);
  if (!hasEnded) process.exitCode = 1;
  for (const [rank, each] of said.entries()) {
    const [early, late] = [each[each.length >> 1]!, each.at(-1)!];
    for (const [name, before] of Object.entries(early)) {
      if (name === "step") continue;
      const most = before + (spare[name] ?? 0);
      const isMore = late[name]! > most;
      if (isMore) process.exitCode = 1;
      console.log(
        `  rank ${rank}: ${name} ${before} after ${early.step}, ${late[name]} after ${late.step}${isMore ? `; at most ${most} is flat` : ""}`,
      );
    }
  }
}
