import { BackendError } from "../base/errors.ts";

/** A foreign function. Pointers and sizes go and come as numbers: addresses of user space are below 2^53. */
export type Foreign<A extends readonly unknown[], R> = (...args: A) => R;

/** What is used of koffi. */
export interface Koffi {
  /** `global`: other libraries that are loaded find its names. */
  load(
    path: string,
    options?: { global: boolean },
  ): {
    func(name: string, result: string, args: readonly string[]): Foreign<never[], unknown>;
    symbol(name: string, type: string): unknown;
  };
  address(of: unknown): bigint;
  view(address: bigint, bytes: number): ArrayBuffer;
}

/** The foreign function interface, an optional dependency; throws `BackendError` where it is not installed. */
export function loadKoffi(): Koffi {
  const { process } = globalThis as { process?: NodeJS.Process };
  if (process?.getBuiltinModule === undefined)
    throw new BackendError("native: C needs Node, a browser has no compiler");
  const { createRequire } = process.getBuiltinModule("node:module");
  // A bundle does not know where it will lie: there koffi is looked for where the program was started.
  const here: string | undefined = import.meta.url;
  const require = createRequire(here ?? `${process.cwd()}/package.json`);
  try {
    return require("koffi") as Koffi;
  } catch (error) {
    throw new BackendError(`koffi cannot be loaded; run "npm install koffi"`, { cause: error });
  }
}
