// Kills a training run so many times (default 300) inside a save, at random instants, and checks that every start loads
// what was saved and that the end has the bits of an uninterrupted run. It runs what is built.
import { killInSaves } from "./kills/kills.ts";

const kills = Number(process.argv[2] ?? 300);
const entry = new URL("../dist/index.js", import.meta.url).href;
const { inside, sameId, left } = await killInSaves(entry, kills, (line) => console.log(line));
const foreign = left.filter((name) => !/^checkpoint-\d{8}\.safetensors$/.test(name));
console.log(
  `check-kills: ${inside} kills inside a save${sameId ? ", always with the same process id" : ""}; the bits of an uninterrupted run; left: ${left.join(", ")}`,
);
if (foreign.length > 0 || left.length !== 2) process.exitCode = 1;
