// Has runs on two and three ranks suffer faults of a random rank at random instants: kills and stops of processes of both
// kinds of MPI, and of threads their end, a throw and an endless loop. Checks that all others end in time with an error that
// names the rank and what it last did, and that going on from the last checkpoint ends with the bits of a run without
// faults. It runs what is built. Arguments: how many kills (default 60), stops (20) and faults of threads (60).
import { type Fault, type Faults, faultsOn, type Start } from "./faults/faults.ts";

const [kills = 60, stops = 20, ofThreads = 60] = process.argv.slice(2).map(Number);
const entry = new URL("../dist/index.js", import.meta.url).href;
const threads: readonly Fault[] = [
  { how: "terminate" },
  { how: "throws" },
  { how: "throws", inside: true },
  { how: "stalls" },
  { how: "stalls", inside: true },
];

/** So many of some faults in turn; a quarter of all, as there are two kinds of start and two numbers of ranks. */
const some = (count: number, faults: readonly Fault[]): Fault[] =>
  Array.from({ length: Math.ceil(count) }, (_, i) => faults[i % faults.length]!);

for (const ranks of [2, 3]) {
  const runs: [Start, Fault[]][] = [
    ["threads", some(ofThreads / 2, threads)],
    ["mpirun.openmpi", [...some(kills / 4, [{ how: "kill" }]), ...some(stops / 4, [{ how: "stop" }])]],
    ["mpirun.mpich", [...some(kills / 4, [{ how: "kill" }]), ...some(stops / 4, [{ how: "stop" }])]],
  ];
  for (const [start, faults] of runs) {
    const seen: Faults = await faultsOn({ entry, start, ranks, faults, tell: console.log });
    console.log(
      `check-faults: ${start}, ${ranks} ranks: ${seen.count} faults; ${seen.survivors} survivors have named the right rank, ` +
        `the last after ${seen.longest.toFixed(1)} s; after ${seen.calls} calls the bits of a run without faults`,
    );
  }
}
