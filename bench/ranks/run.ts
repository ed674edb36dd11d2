import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../../src/base/table.ts";
import { coresFor, thisMachine } from "../machine.ts";
import { median } from "../median.ts";

const help = `npm run bench:ranks -- [options]

  --only threads     of: threads, mpi, ddp (default: all)
  --rounds 5         turns of each; more is steadier and slower
  --python PATH      a Python with torch 2.13, for ddp
  --mpirun mpirun    the program that starts ranks of MPI
  --json             figures as JSON

W3 with 256 samples on each of two ranks, a core each, beside one rank, and over what two loops of multiply-adds at once do
over one; and what ranks take to agree on a step.
`;

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const thaw = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const node = process.execPath;

/** Starts a command on so many cores, each of which has one thread; gives what its last line says. */
async function turn(cores: number | string, ...command: string[]): Promise<Record<string, number | string>> {
  const list = typeof cores === "string" ? cores : coresFor(cores);
  const [program, ...args] = list === undefined ? command : ["taskset", "-c", list, ...command];
  const env = { ...process.env };
  if (cores !== 2) env.THAW_THREADS = "1";
  const child = spawn(program!, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (piece) => (said += piece));
  const code = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  const line = said.trim().split("\n").at(-1) ?? "";
  if (code !== 0) throw new Error(`${command.join(" ")} has ended with ${code}`);
  return JSON.parse(line.slice(line.indexOf("{"))) as Record<string, number | string>;
}

async function bare(): Promise<number> {
  const [first, second] = coresFor(2)?.split(",") ?? [];
  const rate = async (core: string | undefined): Promise<number> =>
    Number((await turn(core ?? 1, node, file("bare.mjs"))).rate);
  // Each core by itself, and both at once: one of them may be slower, or faster for a moment.
  const alone = (await rate(first)) + (await rate(second));
  const together = await Promise.all([rate(first), rate(second)]);
  return (2 * (together[0] + together[1])) / alone;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "threads,mpi,ddp" },
      rounds: { type: "string", default: "5" },
      python: { type: "string", default: "python3" },
      mpirun: { type: "string", default: "mpirun" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(help);
  const only = values.only.split(",");
  const ranks = (engine: string, script: string): string[] => {
    const mpi = engine === "mpi" ? ["--mpirun", values.mpirun] : [];
    return [node, thaw, "run", "-n", "2", "--engine", engine, ...mpi, file(script)];
  };
  const engines = only.filter((name) => name !== "ddp");
  const found: Record<string, number[]> = {};
  const note = (name: string, value: number): void => void (found[name] ??= []).push(value);
  for (let round = 0; round < Number(values.rounds); round++) {
    const machine = await bare();
    note("bare", machine);
    const one = Number((await turn(1, node, file("wide.mjs"))).ms);
    note("one", one);
    const two: Record<string, number> = {};
    for (const engine of engines) {
      two[engine] = Number((await turn(2, ...ranks(engine, "wide.mjs"))).ms);
      note(engine, two[engine]);
      note(`${engine} over machine`, (2 * one) / two[engine] / machine);
      note(`${engine} agreement`, Number((await turn(2, ...ranks(engine, "agreement.mjs"))).us));
    }
    if (!only.includes("ddp")) continue;
    const ddp = Number((await turn(2, values.python, file("ddp.py"))).ms);
    note("ddp", ddp);
    for (const engine of engines) note(`${engine} over ddp`, two[engine]! / ddp);
  }
  const value = (name: string): number => median(found[name]!);
  const bars: Record<string, number> = { threads: 0.95, mpi: 0.88 };
  const agreementBars: Record<string, number> = { threads: 20, mpi: 60 };
  const figures = [
    { what: "two loops of multiply-adds at once over one", value: value("bare"), unit: "×", bar: null },
    { what: "one rank, a step", value: value("one"), unit: "ms", bar: null },
    ...engines.flatMap((engine) => [
      { what: `${engine}: two ranks, a step`, value: value(engine), unit: "ms", bar: null },
      {
        what: `${engine}: samples a second of two ranks over one, over the machine's`,
        value: value(`${engine} over machine`),
        unit: "×",
        bar: ["≥", bars[engine]!] as const,
      },
      {
        what: `${engine}: agreement`,
        value: value(`${engine} agreement`),
        unit: "µs",
        bar: ["≤", agreementBars[engine]!] as const,
      },
    ]),
    ...(only.includes("ddp")
      ? [
          { what: "PyTorch DDP with gloo: two ranks, a step", value: value("ddp"), unit: "ms", bar: null },
          ...engines.map((engine) => ({
            what: `${engine} over PyTorch DDP`,
            value: value(`${engine} over ddp`),
            unit: "×",
            bar: ["≤", 0.85] as const,
          })),
        ]
      : []),
  ];
  const machine = thisMachine();
  if (values.json)
    return void process.stdout.write(
      `${JSON.stringify({ machine, node: process.version, figures }, null, 2)}\n`,
    );
  const rows = figures.map(({ what, value, unit, bar }) => [
    what,
    value.toPrecision(3),
    unit,
    bar === null ? "–" : bar.join(" "),
    bar === null ? "" : (bar[0] === "≤" ? value <= bar[1] : value >= bar[1]) ? "held" : "NOT HELD",
  ]);
  process.stdout.write(
    `${[
      `${machine.cpu}, ${machine.cores} cores, ${machine.os}; Node ${process.version}`,
      "",
      ...table(["what", "measured", "", "bar", ""], rows),
    ].join("\n")}\n`,
  );
}

await main();
