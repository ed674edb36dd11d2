import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./sources.ts";

// Makes examples/data/packages.jsonl on a machine with Debian: names, short descriptions and sections of packages, of ten
// sections, one of each description. A number takes so many of them, spread evenly over the alphabet; without it, all.

const sections = [
  "admin",
  "database",
  "editors",
  "games",
  "graphics",
  "mail",
  "net",
  "science",
  "sound",
  "web",
];
const most = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);

const field = (record: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)$`, "m").exec(record)?.[1];

const records = execFileSync("apt-cache", ["dumpavail"], { encoding: "utf8", maxBuffer: 2 ** 30 }).split(
  "\n\n",
);
const seen = new Set<string>();
const packages: string[] = [];
for (const record of records) {
  const [name, description, section] = ["Package", "Description", "Section"].map((key) => field(record, key));
  if (name === undefined || description === undefined || !sections.includes(section ?? "")) continue;
  // Parts of one program have one description, with what is in them behind it.
  const about = description.replace(/\s*(\(|- ).*$/, "");
  if (seen.has(about)) continue;
  seen.add(about);
  packages.push(JSON.stringify({ name, description, section }));
}
const step = Math.max(1, packages.length / most);
const taken = Array.from(
  { length: Math.min(most, packages.length) },
  (_, i) => packages[Math.floor(i * step)],
);
const path = join(root, "examples/data/packages.jsonl");
writeFileSync(path, `${taken.join("\n")}\n`);
console.log(`${path}: ${taken.length} of ${packages.length} packages`);
