import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { difference } from "./same-text.ts";
import { root } from "./sources.ts";

/** A command of `docs/freezing.md`, and what the page says that it prints. */
export interface Claim {
  readonly command: string;
  readonly shown: string;
}

export const page: string = readFileSync(join(root, "docs/freezing.md"), "utf8");

/** The commands of the page, each a line of its own that a block of output follows. */
export const claims: readonly Claim[] = [
  ...page.matchAll(/^```sh\n([^\n]+)\n```\n\n```text\n(.*?)^```$/gms),
].map((match) => ({ command: match[1]!, shown: match[2]! }));

/** What prints each column of the table; `python` stands for an interpreter. */
const columns: Readonly<Record<string, string>> = {
  PyTorch: "python docs/freezing/pytorch-table.py",
  "TensorFlow.js": "node docs/freezing/tfjs-table.mjs",
  Keras: "python docs/freezing/keras-table.py",
  MLX: "python docs/freezing/mlx-table.py",
  thaw: "node --import tsx docs/freezing/thaw-table.ts",
};

/** The columns of the table as claims: a line for each row. */
export const tableClaims: readonly Claim[] = Object.entries(columns).map(([system, command]) => {
  const rows = page.split("\n").filter((line) => line.startsWith("| "));
  const [head] = rows.filter((row) => row.includes(` ${system} `));
  const cellsOf = (row: string): string[] => row.split("|").map((cell) => cell.trim());
  const column = cellsOf(head!).indexOf(system);
  const start = rows.indexOf(head!) + 2;
  const length = rows.slice(start).findIndex((row) => cellsOf(row).length !== cellsOf(head!).length);
  const shown = rows.slice(start, length < 0 ? undefined : start + length).map((row) => {
    const cells = cellsOf(row);
    return `${cells[1]}: ${cells[column]}`;
  });
  return { command, shown: shown.join("\n") };
});

/** Runs a command of the page; null if it succeeds and prints what is shown, or else what is wrong. */
export async function problemOf({ command, shown }: Claim, python = "python3"): Promise<string | null> {
  const words = command.split(" ");
  const settings = words.filter((word) => /^[A-Z_]+=/.test(word)).map((word) => word.split("="));
  const [program, ...args] = words.slice(settings.length);
  const env = { ...process.env, ...Object.fromEntries(settings) };
  try {
    const file = program === "node" ? process.execPath : python;
    const { stdout } = await promisify(execFile)(file, args, { cwd: root, env });
    return difference(stdout, shown);
  } catch (error) {
    const { stdout, message } = error as { stdout?: string; message: string };
    return `${message}\n${stdout ?? ""}`;
  }
}
