import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { built } from "../built.ts";
import { temporaryFolder } from "../checkpoint/folder.ts";
import { ran } from "../distributed/running.ts";

const limit = { timeout: 120_000 };
const program = fileURLToPath(new URL("../../scripts/faults/program.mjs", import.meta.url));
const entry = new URL("../../dist/index.js", import.meta.url).href;

const isThere = (id: number): boolean => {
  try {
    return process.kill(id, 0);
  } catch {
    return false;
  }
};

test.each([
  ["threads", "SIGINT", []],
  // By another process, where this Node does not run TypeScript.
  ["threads, in TypeScript", "SIGTERM", []],
  ["mpirun.openmpi", "SIGINT", ["--engine", "mpi", "--mpirun", "mpirun.openmpi"]],
  ["mpirun.mpich", "SIGTERM", ["--engine", "mpi", "--mpirun", "mpirun.mpich"]],
] as const)(
  "%s: %s to thaw run ends all ranks, and the last checkpoint loads",
  limit,
  async (how, signal, options) => {
    const folder = temporaryFolder();
    const script = join(folder, "script.ts");
    writeFileSync(script, `import ${JSON.stringify(program)};`);
    const checkpoints = join(folder, "checkpoints");
    const args = ["--", entry, checkpoints, "1e9", "{}"];
    const path = how.endsWith("TypeScript") ? script : program;
    const command = [built("cli/main.js"), "run", ...options, "--restarts", "3", path, ...args];
    const thaw = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [thaw.stdout, thaw.stderr])
      stream.on("data", (piece) => {
        text += piece;
      });
    const ended = once(thaw, "close");
    for (let i = 0; i < 3000 && text.split('"from":0').length < 3; i++) await sleep(10);
    expect(text.split('"from":0')).toHaveLength(3);
    await sleep(200);
    const ids = [...text.matchAll(/"process":(\d+)/g)].map(([, id]) => Number(id));
    thaw.kill(signal);
    const [code, by] = await ended;
    expect([code, by]).toEqual(
      options.length === 0 ? [null, signal] : [signal === "SIGINT" ? 130 : 143, null],
    );
    expect(text).not.toContain("begin again");
    for (let i = 0; i < 500 && ids.some(isThere); i++) await sleep(10);
    expect(ids.filter(isThere)).toEqual([]);
    const again = await ran("../../scripts/faults/program.mjs", [entry, checkpoints, "+12", "{}"]);
    expect(again.failure).toBeNull();
    for (const said of again.said) expect(said[1]!.from).toBeGreaterThan(0);
  },
);
