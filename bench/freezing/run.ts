import { parseArgs } from "node:util";
import { thisMachine } from "../machine.ts";
import { backendName, type Figure, measures } from "./measures.ts";

const { values } = parseArgs({
  options: { only: { type: "string" }, rounds: { type: "string", default: "9" } },
});
for (const [name, measure] of Object.entries(measures)) {
  if (values.only && !values.only.split(",").includes(name)) continue;
  for (const f of await measure(Number(values.rounds)))
    console.log(f.what.padEnd(90), f.value.toPrecision(3), f.unit, f.bar ?? "");
}
