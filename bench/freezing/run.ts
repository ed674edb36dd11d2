import { parseArgs } from "node:util";
import { table } from "../../src/base/table.ts";
import { thisMachine } from "../machine.ts";
import { backendName, measures } from "./measures.ts";

const usage = `What freezing costs and saves, in turns in one process, each beside its bar.

  npm run bench:freezing -- [--only ${Object.keys(measures).join(",")}] [--rounds 9]`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "9" },
    help: { type: "boolean", default: false },
  },
});
const wanted = values.only?.split(",") ?? Object.keys(measures);
const unknown = wanted.filter((name) => !(name in measures));
const rounds = Number(values.rounds);
if (values.help || unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  console.log(usage);
  process.exit(values.help ? 0 : 2);
}
const machine = thisMachine();
console.log(
  `${Object.values(machine).join(", ")}; Node ${process.versions.node}, backend ${backendName()}\n`,
);
const rows: string[][] = [];
for (const name of wanted)
  for (const { what, value, unit, bar } of await measures[name]!(rounds)) {
    const shown = (x: number): string =>
      unit === "x" && x < 0.1
        ? `1/${Math.round(1 / x)}`
        : `${x.toPrecision(3)}${unit === "x" ? "" : ` ${unit}`}`;
    rows.push([
      what,
      shown(value),
      bar === null ? "" : `≤ ${shown(bar)}`,
      bar === null || value <= bar ? "" : "above",
    ]);
  }
for (const line of table(["", "figure", "bar", ""], rows)) console.log(line);
