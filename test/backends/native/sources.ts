import { findCompiler, toolchainOf } from "../../../src/backends/native/toolchain.ts";
import { type LazyUnit, written } from "../../../src/targets/c/unit.ts";

/** A kernel that does nothing much, and is another one for each number. */
export const source = (number: number): LazyUnit =>
  written({
    prelude: "typedef long long i64;\n",
    functions: [],
    body: `void run(const i64 *args, i64 begin, i64 end, char *scratch) { *(i64 *)scratch = ${number}; }`,
  });

/** This machine's toolchain, which a folder remembers. */
export const toolchain = (folder: string) => toolchainOf(findCompiler(), folder);
