import { parseArgs } from "node:util";
import { coresFor, thisMachine } from "./machine.ts";
import { measure } from "./measure.ts";
import { report } from "./report.ts";
import { allSystems } from "./systems.ts";

const products = [64, 128, 256, 512, 1024, 2048].map((size) => `matmul-${size}`);
const allWorkloads = ["W1", "W2", "W3", "W5", ...products];

const help = `npm run bench -- [options]

  --only W1,W2        workloads: ${allWorkloads.join(", ")}; "matmul" is all products
  --systems thaw,tfjs thaw, pytorch, pytorch-fused, pytorch-compile, jax-js, tfjs
  --threads 1,2       numbers of cores to pin each system to
  --warmup 2          seconds that each system runs before its turns
  --rounds 10         turns of each system; more is steadier and slower
  --python PATH       a Python with PyTorch; default bench/.venv/bin/python, else python3
  --json              results as JSON
`;

class UsageError extends Error {}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      systems: { type: "string" },
      threads: { type: "string", default: "1,2" },
      rounds: { type: "string", default: "10" },
      warmup: { type: "string", default: "2" },
      python: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(help);
  const machine = thisMachine();
  const measurements = await measure({
    systems: pickSystems(values.systems, values.python),
    workloads: pickWorkloads(values.only),
    threads: positive("--threads", values.threads).filter((count) => count <= machine.cores),
    rounds: positive("--rounds", values.rounds)[0]!,
    warmupMs: 1000 * secondsOf("--warmup", values.warmup),
    cores: coresFor,
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  if (values.json) {
    const versions = { node: process.versions.node, ...measurements.versions };
    const results = measurements.rows.map(({ result }) => result);
    process.stdout.write(`${JSON.stringify({ machine, versions, results }, null, 2)}\n`);
    for (const [what, why] of measurements.absent) process.stderr.write(`absent: ${what}: ${why}\n`);
  } else {
    process.stdout.write(`${report(machine, measurements)}\n`);
  }
}

function pickSystems(list: string | undefined, python: string | undefined) {
  const systems = allSystems({ python });
  if (list === undefined) return systems;
  const wanted = list.split(",");
  const unknown = wanted.filter((name) => !systems.some((system) => system.name === name));
  if (unknown.length > 0) throw new UsageError(`unknown system ${unknown.join(", ")}`);
  return systems.filter(({ name }) => wanted.includes(name));
}

function pickWorkloads(list: string | undefined): string[] {
  if (list === undefined) return allWorkloads;
  const picked = list.split(",").flatMap((name) => {
    if (name === "matmul") return allWorkloads.filter((workload) => workload.startsWith("matmul-"));
    if (allWorkloads.includes(name) || /^matmul-[1-9]\d*$/.test(name)) return [name];
    throw new UsageError(`unknown workload ${name}`);
  });
  return [...new Set(picked)];
}

function secondsOf(option: string, text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0)) throw new UsageError(`${option} ${text}: seconds are wanted`);
  return seconds;
}

function positive(option: string, list: string): number[] {
  const numbers = list.split(",").map(Number);
  if (!numbers.every((each) => Number.isInteger(each) && each > 0)) {
    throw new UsageError(`${option} ${list}: whole numbers above 0 are wanted`);
  }
  return numbers;
}

main().catch((error: unknown) => {
  const usage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  process.stderr.write(usage ? `${(error as Error).message}\n\n${help}` : `${(error as Error).stack}\n`);
  process.exitCode = usage ? 2 : 1;
});
