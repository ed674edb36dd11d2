import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { built } from "../built.ts";

// What files, arguments and the environment say is quoted by commands; a terminal would act on some of it.

const attack = "\u001b]0;owned\u0007\u009b2J\u202e\nworse 1 MiB\r\u2028x";
const folder = mkdtempSync(join(tmpdir(), "thaw-terminal-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

/** A safetensors file of one number per tensor. */
function safetensors(
  name: string,
  tensors: readonly string[],
  metadata: Record<string, string> = {},
): string {
  const entries = tensors.map((tensor, i) => [tensor, { dtype: "U8", shape: [1], data_offsets: [i, i + 1] }]);
  const header = Buffer.from(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(at(name), Buffer.concat([length, header, Buffer.alloc(tensors.length, name.length)]));
  return at(name);
}

const record = JSON.stringify({
  format: 1,
  arithmetic: `made by ${attack}`,
  frozen: { [attack]: "all" },
  optimizer: { name: attack, state: {} },
});

let a: string;
let long: string;
beforeAll(() => {
  a = safetensors("a.safetensors", [attack, "plain"], { [attack]: attack, thaw: record });
  long = safetensors("long.safetensors", ["plain", `${attack}2`], { [attack]: "other" });
  writeFileSync(
    at("broken.safetensors"),
    Buffer.concat([Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(`{"\u009b\u202e": 1`)]),
  );
  writeFileSync(
    at("index.safetensors.index.json"),
    JSON.stringify({ weight_map: { [attack]: `${attack}.safetensors` } }),
  );
  writeFileSync(at("text.safetensors.index.json"), `{"weight_map": \u009b${attack}`);
  writeFileSync(
    at("cases.json"),
    JSON.stringify({ format: "replay/1", cases: [{ name: attack, modules: {} }] }),
  );
  writeFileSync(at("format.json"), JSON.stringify({ format: attack }));
  writeFileSync(at("text.json"), `\u009b${attack}`);
  mkdirSync(at("two"));
  for (const name of ["1", "2"]) writeFileSync(at(`two/\u001b[31m\n${name}.safetensors`), "");
  writeFileSync(at("throws.mjs"), `throw new Error(${JSON.stringify(attack)});`);
});

/** Runs the command line as a user does; gives all that it prints. */
function thaw(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const command = [built("cli/main.js"), ...args];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      command,
      { cwd: folder, env: { ...process.env, ...env } },
      (_, stdout, stderr) => resolve(`${stdout}\n${stderr}`),
    );
  });
}

test.each<[string, () => readonly string[], Record<string, string>?]>([
  ["inspect", () => ["inspect", a]],
  ["inspect --json", () => ["inspect", "--json", a]],
  ["inspect of a broken header", () => ["inspect", at("broken.safetensors")]],
  ["inspect of an index that names such a file", () => ["inspect", at("index.safetensors.index.json")]],
  ["inspect of an index that is no JSON", () => ["inspect", at("text.safetensors.index.json")]],
  ["inspect of a folder with such names", () => ["inspect", at("two")]],
  ["inspect of what is not there", () => ["inspect", at(`${attack}.safetensors`)]],
  ["diff", () => ["diff", a, long, "--all"]],
  ["diff --json", () => ["diff", "--json", a, long]],
  ["diff with a selector that names nothing", () => ["diff", "--expect-frozen", "plane", a, long]],
  ["diff with such a selector", () => ["diff", "--expect-frozen", attack, long, a]],
  ["replay", () => ["replay", at("cases.json")]],
  ["replay of another format", () => ["replay", at("format.json")]],
  ["replay of what is no JSON", () => ["replay", at("text.json")]],
  ["profile of a script that throws", () => ["profile", at("throws.mjs")]],
  ["compile of what is not there", () => ["compile", "--out", at("out"), attack]],
  ["devices", () => ["devices"], { THAW_BACKEND: attack, THAW_CC: attack }],
  ["cache", () => ["cache"], { THAW_CACHE: at(attack) }],
  ["an unknown command", () => [attack]],
  ["an unknown option", () => ["inspect", `--${attack}`]],
])("%s prints no control characters", { timeout: 60_000 }, async (_, args, env) => {
  const text = await thaw(args(), env);
  expect(text.trim()).not.toBe("");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none is what is tested.
  expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
});

test("a name with a line break begins no line of its own", { timeout: 60_000 }, async () => {
  for (const args of [
    ["inspect", a],
    ["diff", a, long, "--all"],
    ["replay", at("cases.json")],
    ["inspect", at("two")],
  ])
    expect(await thaw(args)).not.toMatch(/^(worse|1\.safetensors|2\.safetensors)/m);
});
