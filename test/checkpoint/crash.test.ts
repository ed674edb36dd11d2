import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as nn from "thaw/nn";
import { zeros } from "thaw/tensor";
import { expect, test } from "vitest";
import { load, readSafetensors, save } from "../../src/checkpoint/index.ts";
import { temporaryFolder } from "./folder.ts";

const program = fileURLToPath(new URL("stop-while-saving.ts", import.meta.url));

// Calls from the first to the last that a save makes; only after the rename is it the new one.
test.each([
  ["writeSync", 1, 0],
  ["writeSync", 3, 0],
  ["fsyncSync", 1, 0],
  ["renameSync", 1, 0],
  ["fsyncSync", 2, 1],
] as const)(
  "killed at %s %i, a whole checkpoint is left",
  (call, nth, value) => {
    const path = join(temporaryFolder(), "net.safetensors");
    const net = new nn.Linear(2, 2);
    for (const p of net.parameters()) p.assign(zeros(p.shape));
    save(path, { module: net });
    const { signal, stderr } = spawnSync(process.execPath, [
      "--import",
      "tsx",
      program,
      path,
      call,
      String(nth),
    ]);
    expect([signal, String(stderr)]).toEqual(["SIGKILL", ""]);
    for (const t of readSafetensors(path).values()) expect(new Set(t.dataSync())).toEqual(new Set([value]));
    load(path, { module: net });
    expect(net.weight.toArraySync()).toEqual([
      [value, value],
      [value, value],
    ]);
  },
  60_000,
);
