import { bytesIn } from "../../nn/bits.ts";
import type { Module } from "../../nn/module.ts";

/** The SHA-256 of a file, as `sha256sum` gives it. */
export function digestOfFile(path: string): string {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const { closeSync, openSync, readSync } = process.getBuiltinModule("node:fs");
  const hash = createHash("sha256");
  const file = openSync(path, "r");
  try {
    const block = new Uint8Array(2 ** 20);
    for (let count = readSync(file, block); count > 0; count = readSync(file, block))
      hash.update(block.subarray(0, count));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
}

/** The SHA-256 of parameters: of the path of each, in their order, and of its bytes. */
export function digestOfParameters(module: Module, paths: ReadonlySet<string>): string {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const hash = createHash("sha256");
  for (const [path, parameter] of module.namedParameters()) {
    if (!paths.has(path)) continue;
    hash.update(path);
    for (const bytes of bytesIn(parameter, "finetune")) hash.update(bytes);
  }
  return hash.digest("hex");
}
