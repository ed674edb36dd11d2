import { parseArgs } from "node:util";
import { table } from "../../src/base/table.ts";
import { thisMachine } from "../machine.ts";

const help = `npm run bench:freezing -- [options]

  --only rows,tasks  measurements: rows, tasks, scopes, hundred, sets, layers
  --rounds 9         turns of each thing that is timed; more is steadier and slower
  --threads 1        threads that the backend may use
  --json             figures as JSON
`;

class UsageError extends Error {}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      rounds: { type: "string", default: "9" },
      threads: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(help);
  const rounds = positive("--rounds", values.rounds);
  // Read when the library is loaded, hence the import below.
  process.env.THAW_THREADS = `${positive("--threads", values.threads)}`;
  const { backendName, measures } = await import("./measures.ts");
  const names = values.only?.split(",") ?? Object.keys(measures);
  for (const name of names)
    if (!Object.hasOwn(measures, name)) throw new UsageError(`unknown measurement ${name}`);
  const figures = [];
  for (const name of names) {
    if (!values.json) process.stderr.write(`${name}\n`);
    figures.push(...(await measures[name]!(rounds)));
  }
  const machine = thisMachine();
  const run = { backend: backendName(), threads: Number(values.threads), node: process.version };
  if (values.json)
    return void process.stdout.write(`${JSON.stringify({ machine, ...run, figures }, null, 2)}\n`);
  const rows = figures.map(({ what, value, unit, bar }) => [
    what,
    value.toPrecision(3),
    unit,
    bar === null ? "–" : `≤ ${bar}`,
    bar === null ? "" : value <= bar ? "held" : "NOT HELD",
  ]);
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.os}; Node ${run.node}, ${run.backend}, ${run.threads} thread(s)`,
    "",
    ...table(["what", "measured", "", "bar", ""], rows),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`${option} ${text}: a whole number above 0 is wanted`);
  return number;
}

main().catch((error: unknown) => {
  const usage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  process.stderr.write(usage ? `${(error as Error).message}\n\n${help}` : `${(error as Error).stack}\n`);
  process.exitCode = usage ? 2 : 1;
});
