// Counts the names of PyTorch's that modelling code uses, by the number of files, and says which of them thaw has.
//
//   pip download --no-deps transformers timm diffusers, unpacked into a folder each, then
//   npx tsx scripts/count-names.ts [--write] FOLDER…
//
// Without folders it says so of the names in scripts/names/counted.json, which --write writes.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answer } from "./names/answer.ts";
import { countNames } from "./names/scan.ts";
import { root } from "./sources.ts";

const recorded = join(root, "scripts/names/counted.json");
const methods = new Set(
  JSON.parse(readFileSync(join(root, "scripts/names/methods.json"), "utf8")) as string[],
);

const folders = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const counted: [string, number][] =
  folders.length === 0
    ? Object.entries(JSON.parse(readFileSync(recorded, "utf8")) as Record<string, number>)
    : [...countNames(folders, methods).counts];
counted.sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
if (process.argv.includes("--write"))
  writeFileSync(recorded, `${JSON.stringify(Object.fromEntries(counted), null, 0).replaceAll(",", ",\n")}\n`);

const rows = counted.map(([name, files]) => ({ name, files, ...answer(name) }));
const there = rows.filter((row) => row.thaw !== null);
for (const { name, files, thaw } of there) console.log(`${String(files).padStart(5)}  ${name} → ${thaw}`);
const excused = rows.filter((row) => row.reason !== null);
for (const reason of new Set(excused.map((row) => row.reason))) {
  console.log(`\nNot there: ${reason}`);
  for (const { name, files } of excused.filter((row) => row.reason === reason))
    console.log(`${String(files).padStart(5)}  ${name}`);
}
const missing = rows.filter((row) => row.thaw === null && row.reason === null);
console.log(`\n${missing.length === 0 ? "Nothing else is missing." : "Missing:"}`);
for (const { name, files } of missing) console.log(`${String(files).padStart(5)}  ${name}`);
console.log(
  `\n${rows.length} names: ${there.length} are there, ${excused.length} are left out for a reason, ${missing.length} are missing`,
);
if (missing.length > 0) process.exitCode = 1;
