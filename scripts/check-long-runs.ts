// Trains by every optimizer for so many steps (default 1,000), on two and on three ranks, and compares with one process
// that sees all their data: the difference must be at most twice that between two runs of one process with rows in
// another order. It runs what is built.
import { table } from "../src/base/table.ts";
import { longRuns } from "../test/distributed/long-run.ts";

const steps = Number(process.argv[2] ?? 1000);
const rows: string[][] = [];
for (const ranks of [2, 3])
  for (const { name, ofRanks, ofOrders, alike } of await longRuns("all", steps, ranks)) {
    const held = alike && ofRanks <= 2 * ofOrders;
    const ratio = ofRanks === 0 ? 0 : ofRanks / ofOrders;
    if (!held) process.exitCode = 1;
    rows.push([
      name,
      `${ranks}`,
      ofRanks.toExponential(1),
      ofOrders.toExponential(1),
      ratio.toFixed(2),
      held ? "held" : "NOT HELD",
    ]);
  }
console.log(
  table(["optimizer", "ranks", "from one process", "by order of rows", "ratio", ""], rows).join("\n"),
);
