import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TypedArray } from "../../../src/base/dtype.ts";
import { preludeC } from "../../../src/targets/c/prelude.ts";
import type { CTarget } from "../../../src/targets/c/target.ts";
import { isBroad } from "../../breadth.ts";

/** One call of `run` in a program of its own. */
export interface Job {
  /** The C of the kernel, as it is emitted. */
  readonly unit: string;
  /** Memory that it works on: each is an allocation of exactly this size. */
  readonly buffers: readonly TypedArray[];
  /** Words of the call; `buffer`: the address of a buffer, and `value` bytes beyond it. */
  readonly args: readonly { readonly value: number; readonly buffer?: number }[];
  /** Ranges [begin, end), one after the other. */
  readonly tasks: readonly (readonly [begin: number, end: number])[];
  readonly scratchBytes: number;
}

/** The compilers of this machine: one of them, unless tests are broad. */
export const compilers: readonly string[] = ["gcc", "clang"]
  .filter((cc) => {
    try {
      execFileSync(cc, ["--version"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  })
  .slice(0, isBroad ? 2 : 1);

/** How kernels are compiled, and how they are where whatever C does not define is to stop the program. */
export const flags: { readonly [K in "fast" | "sanitized"]: readonly string[] } = {
  fast: ["-O1"],
  sanitized: ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
};
const always = ["-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-march=native"];

/** Reads jobs from a file, runs them, writes all buffers to another. Numbers are 8 bytes each. */
const main = (runs: number): string => `
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
typedef void kernel(const int64_t *, int64_t, int64_t, char *);
${Array.from({ length: runs }, (_, i) => `kernel run_${i};`).join("\n")}
static kernel *const kernels[] = {${Array.from({ length: runs }, (_, i) => `run_${i}`).join(", ")}};
static FILE *in, *out;
static int64_t next(void) {
  int64_t x;
  if (fread(&x, 8, 1, in) != 1) exit(2);
  return x;
}
int main(int count, char **names) {
  in = fopen(names[count - 2], "rb");
  out = fopen(names[count - 1], "wb");
  for (int64_t jobs = next(); jobs > 0; jobs--) {
    kernel *run = kernels[next()];
    int64_t scratch_bytes = next(), buffers = next();
    char **memory = malloc(buffers * sizeof(char *));
    int64_t *bytes = malloc(buffers * 8);
    for (int64_t b = 0; b < buffers; b++) {
      bytes[b] = next();
      memory[b] = malloc(bytes[b]);
      if (fread(memory[b], 1, bytes[b], in) != (size_t)bytes[b]) exit(2);
    }
    int64_t words = next();
    int64_t *args = malloc(words * 8);
    for (int64_t i = 0; i < words; i++) {
      int64_t buffer = next(), value = next();
      args[i] = buffer < 0 ? value : (int64_t)memory[buffer] + value;
    }
    char *scratch = aligned_alloc(64, (scratch_bytes + 127) / 64 * 64);
    for (int64_t tasks = next(); tasks > 0; tasks--) {
      int64_t begin = next(), end = next();
      run(args, begin, end, scratch);
    }
    for (int64_t b = 0; b < buffers; b++) {
      fwrite(memory[b], 1, bytes[b], out);
      free(memory[b]);
    }
    free(memory), free(bytes), free(args), free(scratch);
  }
  return fclose(out) != 0;
}
`;

/** The kernels as functions run_0, run_1 …: one file for all that begin with the same prelude. */
function sources(units: readonly string[], target: CTarget): string[] {
  return [false, true].map((wide) => {
    const prelude = preludeC(target, wide);
    const texts = units.flatMap((unit, i) => {
      if (!unit.startsWith(prelude)) return [];
      const text = `${unit.slice(prelude.length)}\n`;
      const names = ["run", ...[...text.matchAll(/^static .*?(\w+)\(/gm)].map((found) => found[1]!)];
      const line = (make: (name: string) => string) => `${names.map(make).join("\n")}\n`;
      return line((name) => `#define ${name} ${name}_${i}`) + text + line((name) => `#undef ${name}`);
    });
    return prelude + texts.join("");
  });
}

function jobBytes(jobs: readonly Job[], units: readonly string[]): Buffer {
  const parts: Uint8Array[] = [];
  const words = (...numbers: number[]) =>
    parts.push(new Uint8Array(BigInt64Array.from(numbers, (x) => BigInt(x)).buffer));
  words(jobs.length);
  for (const { unit, buffers, args, tasks, scratchBytes } of jobs) {
    words(units.indexOf(unit), scratchBytes, buffers.length);
    for (const b of buffers) {
      words(b.byteLength);
      parts.push(new Uint8Array(b.buffer, b.byteOffset, b.byteLength));
    }
    words(args.length, ...args.flatMap(({ buffer = -1, value }) => [buffer, value]));
    words(tasks.length, ...tasks.flat());
  }
  return Buffer.concat(parts);
}

/** Compiles what the jobs call and runs them, each on copies of its buffers; gives the copies. */
export function runJobs(
  jobs: readonly Job[],
  compiler: string,
  target: CTarget,
  options: readonly string[] = flags.fast,
): TypedArray[][] {
  const units = [...new Set(jobs.map((j) => j.unit))];
  const folder = mkdtempSync(join(tmpdir(), "thaw-c-"));
  try {
    const files = [...sources(units, target), main(units.length)].map((text, i) => {
      const file = join(folder, `${i}.c`);
      writeFileSync(file, text);
      return file;
    });
    const program = join(folder, "program");
    execFileSync(compiler, [...always, ...options, "-w", "-o", program, ...files, "-lm"], { stdio: "pipe" });
    const [input, output] = [join(folder, "in"), join(folder, "out")];
    writeFileSync(input, jobBytes(jobs, units));
    execFileSync(program, [input, output], { stdio: "pipe" });
    const bytes = readFileSync(output);
    let at = 0;
    return jobs.map(({ buffers }) =>
      buffers.map((b) => {
        const copy = b.slice();
        new Uint8Array(copy.buffer).set(bytes.subarray(at, at + b.byteLength));
        at += b.byteLength;
        return copy;
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
