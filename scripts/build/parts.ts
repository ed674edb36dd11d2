// Where the library in dist/chunks/ gets what it leaves to files of their own until it is first called.

type Part = Readonly<Record<string, unknown>>;

const parts = new Map<string, Part>();

/** Gives a part beforehand: what cannot be loaded when it is called for, as in a browser, is loaded with the library. */
export function provide(name: string, part: unknown): void {
  parts.set(name, part as Part);
}

/** A part by the name of its file; Node loads it now. */
export function part(name: string): Part {
  let found = parts.get(name);
  if (found === undefined) {
    const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);
    parts.set(name, (found = require(`./${name}.js`) as Part));
  }
  return found;
}
