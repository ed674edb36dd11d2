// Kills `thaw finetune` so many times (default 200) at random instants, and checks that it goes on each time and that
// what it leaves has the bits of a run that was left alone. It runs what is built.
import { fileURLToPath } from "node:url";
import { killFinetune } from "./kills/finetune-kills.ts";

const kills = Number(process.argv[2] ?? 200);
const program = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const { ended, before, training, after } = await killFinetune(program, kills, (line) => console.log(line));
console.log(
  `check-finetune-kills: ${before + training + after} kills: ${before} before it had a folder, ${training} while it trained, ${after} once the model was written; ${ended} ends, each with the bits of a run that was left alone`,
);
