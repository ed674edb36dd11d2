import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../../src/base/table.ts";
import { thisMachine } from "../machine.ts";
import { median } from "../median.ts";

const help = `npm run bench:plan -- [options]

  --layers 1,2,6,12,24,48,96   depths of the encoder
  --rounds 3                   processes of each depth; figures are medians
  --json                       figures as JSON

What calls of a training step take before anything runs: the first one in a process, then in a process that has done
such things before the first one of a network, one of a further sequence length, and one of a further frozen set.
`;

/** Milliseconds of one call, by what they were spent on. */
interface Call {
  readonly recording: number;
  readonly planning: number;
  readonly compiling: number;
  readonly kernels: number;
}
/** What a process tells of one depth. */
interface Depth {
  readonly backend: string;
  /** From the start of the process to the end of its first step, kernels and run included. */
  readonly fromStart: number;
  readonly cold: Call;
  readonly first: Call;
  readonly length: Call;
  readonly frozen: Call;
  /** Stages of the first call's planning, each done once more alone. */
  readonly stages: Readonly<Record<string, number>>;
}

const script = fileURLToPath(new URL("./calls.mjs", import.meta.url));

const depth = (layers: number): Depth =>
  JSON.parse(
    execFileSync(process.execPath, [script, `${layers}`], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    })
      .trim()
      .split("\n")
      .at(-1)!,
  ) as Depth;

/** Medians of everything that several processes tell. */
function medians<T>(all: readonly T[]): T {
  const [one] = all as readonly unknown[];
  if (typeof one === "number") return median(all as readonly number[] as number[]) as T;
  if (typeof one !== "object" || one === null) return one as T;
  const entries = Object.keys(one).map((key) => [
    key,
    medians(all.map((x) => (x as Record<string, unknown>)[key])),
  ]);
  return Object.fromEntries(entries) as T;
}

const { values } = parseArgs({
  options: {
    layers: { type: "string", default: "1,2,6,12,24,48,96" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(help);
else {
  const rounds = Math.max(1, Number(values.rounds) || 1);
  const depths = values.layers.split(",").map(Number);
  const figures = depths.map((layers) => ({
    layers,
    ...medians(Array.from({ length: rounds }, () => depth(layers))),
  }));
  const machine = thisMachine();
  if (values.json) process.stdout.write(`${JSON.stringify({ machine, figures }, null, 2)}\n`);
  else {
    const ms = (x: number): string => x.toFixed(1);
    const planned = ({ recording, planning }: Call): string => ms(recording + planning);
    const calls = figures.map((f) => [
      `${f.layers}`,
      `${f.first.kernels}`,
      planned(f.first),
      planned(f.length),
      planned(f.frozen),
      planned(f.cold),
      ms(f.fromStart),
      ms(f.first.compiling),
    ]);
    const names = Object.keys(figures[0]!.stages);
    const stages = figures.map((f) => [
      `${f.layers}`,
      ms(f.first.recording),
      ...names.map((s) => ms(f.stages[s]!)),
    ]);
    const lines = [
      `${machine.cpu}, ${machine.cores} cores; Node ${process.version}, ${figures[0]!.backend}; milliseconds`,
      "",
      "Recorded and planned:",
      ...table(
        [
          "layers",
          "kernels",
          "first call",
          "new length",
          "new frozen set",
          "in a fresh process",
          "its first step",
          "loading kernels",
        ],
        calls,
      ),
      "",
      "Parts of the first call; the stages of its planning are done once more, each alone:",
      ...table(["layers", "recording", ...names], stages),
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}
