// Saves a checkpoint of ones over one that is there, and is killed at the nth call of one of the system's functions.
import * as nn from "thaw/nn";
import { ones } from "thaw/tensor";
import { save } from "../../src/checkpoint/index.ts";

const [path, call, nth] = process.argv.slice(2) as [string, "writeSync", string];
const net = new nn.Linear(2, 2);
for (const p of net.parameters()) p.assign(ones(p.shape));
const fs = process.getBuiltinModule("node:fs");
const original = fs[call] as (...args: unknown[]) => unknown;
let left = Number(nth);
Object.assign(fs, {
  [call]: (...args: unknown[]) => {
    if (--left > 0) return original(...args);
    // Some of what is written arrives.
    if (call === "writeSync") original(args[0], args[1], 0, 5);
    return process.kill(process.pid, "SIGKILL");
  },
});
save(path, { module: net });
