import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { built } from "../../built.ts";

/** A program that computes something, and says by which backend. */
export const program = `
const { currentBackend } = await import("${built("backends/index.js")}");
const { manualSeed, randn } = await import("${built("index.js")}");
manualSeed(0);
const x = randn([30, 40]);
console.log(currentBackend().name, x.matmul(x.t()).exp().sum().itemSync());
`;

/** What a program is given besides what this one has; an empty value is as good as none. */
export type Environment = Readonly<Record<string, string>>;

const args = (text: string) => ["--input-type=module", "-e", text];
const environment = (more: Environment) => ({
  ...process.env,
  THAW_BACKEND: "",
  THAW_VERIFY: "",
  THAW_CC: "",
  ...more,
});

/** Runs a program in a process of its own, to its end. */
export const runProgram = (env: Environment, text = program): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, args(text), { encoding: "utf8", timeout: 60_000, env: environment(env) });

/** Starts one; gives the process, and its output once it has ended. */
export function startProgram(env: Environment, text = program) {
  const child = spawn(process.execPath, args(text), { env: environment(env) });
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += String(data);
  });
  child.stderr.on("data", (data: Buffer) => {
    output += String(data);
  });
  const ended = new Promise<{ status: number | null; output: string }>((resolve) =>
    child.on("close", (status) => resolve({ status, output })),
  );
  return { child, ended };
}

/** Runs `use` with an empty folder, which goes afterwards. */
export async function inFolder<T>(use: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "thaw-native-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A shell script in the place of a compiler; what it does not handle itself it may hand on: `exec cc "$@"`. */
export function fakeCompiler(folder: string, text: string): string {
  const file = join(folder, "fake-cc");
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}
