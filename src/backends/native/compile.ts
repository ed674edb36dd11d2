import { CompileError } from "../../base/errors.ts";
import { settings } from "../../base/settings.ts";
import type { CUnit } from "../../targets/c/unit.ts";
import { node } from "./node.ts";
import { runBounded } from "./run-bounded.ts";
import { flags, type Toolchain } from "./toolchain.ts";

/** What is to be compiled: its name in a folder, and its C. */
export interface Source extends CUnit {
  readonly name: string;
}

/** What one run of the compiler makes: an object of the first source's name, which the others share. */
interface Unit {
  readonly name: string;
  readonly names: string[];
  text: string;
}

/** What a kernel's function is called in its object, which may hold several. */
export const symbolOf = (name: string): string => `run_${name}`;

/** Sources that one unit may hold. Starting a compiler takes about as long as one of them does. */
const mostTogether = 12;

/** Units of about the same size, as many as there are cores or a multiple; what has functions besides `run` is alone. */
function unitsOf(sources: readonly Source[], cores: number): Unit[] {
  const units: Unit[] = [];
  const open = new Map<string, Source[]>();
  for (const source of sources) {
    const { name, prelude, body } = source;
    const named = `#define run ${symbolOf(name)}\n${body}\n#undef run\n`;
    if (prelude === "" || /^static /m.test(body)) units.push({ name, names: [name], text: prelude + named });
    else open.set(prelude, [...(open.get(prelude) ?? []), source]);
  }
  for (const [prelude, list] of open) {
    const count = Math.max(Math.min(cores, list.length), Math.ceil(list.length / mostTogether));
    const parts = Array.from({ length: count }, (): Unit => ({ name: "", names: [], text: prelude }));
    for (const { name, body } of list.sort((a, b) => b.body.length - a.body.length)) {
      const least = parts.reduce((a, b) => (b.text.length < a.text.length ? b : a));
      least.names.push(name);
      least.text += `#define run ${symbolOf(name)}\n${body}\n#undef run\n`;
    }
    units.push(...parts.map((part) => ({ ...part, name: part.names[0]! })));
  }
  return units;
}

/**
 * A process has so many maps of memory (65,530 on Linux), and an object that is linked as usual takes nine: code beside
 * its tables rather than apart from them, nothing made read-only afterwards, and nothing that runs at its loading make
 * it fewer. Linkers that do not know a -z switch warn, and go on.
 */
const fewMaps = ["-Wl,--build-id=none", "-Wl,-z,noseparate-code", "-Wl,-z,norelro", "-nostartfiles"];

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Units in as many lists as there are cores, of about the same length of text together. */
function shares(units: readonly Unit[], count: number): Unit[][] {
  const lists = Array.from({ length: Math.min(count, units.length) }, () => ({
    units: [] as Unit[],
    size: 0,
  }));
  for (const unit of [...units].sort((a, b) => b.text.length - a.text.length)) {
    const least = lists.reduce((a, b) => (b.size < a.size ? b : a));
    least.units.push(unit);
    least.size += unit.text.length;
  }
  return lists.map((list) => list.units);
}

/**
 * Compiles sources into shared objects in a folder, several at a time; gives the names of the objects, and for each the
 * sources that are in it. Throws `CompileError` with what the compiler said, or that it took too long.
 */
export function compile(
  sources: readonly Source[],
  folder: string,
  toolchain: Toolchain,
): readonly { readonly name: string; readonly names: readonly string[] }[] {
  const { fs, path, os } = node();
  const { compiler } = toolchain;
  const cores = os.availableParallelism();
  const units = unitsOf(sources, cores);
  const at = (name: string, kind: string) => path.join(folder, `${name}.${kind}`);
  for (const { name, text } of units) fs.writeFileSync(at(name, "c"), text);
  const link = ["-shared", "-Wl,-O1", ...(process.platform === "darwin" ? [] : fewMaps)];
  // What a compiler that fails has written is no object.
  const command = (name: string): string => {
    const libraries = ["-lm", "-lpthread", "-ldl"];
    const args = [compiler, ...flags(toolchain), ...link, "-o", at(name, "so"), at(name, "c"), ...libraries];
    return `${args.map(quoted).join(" ")} >&2 || rm -f ${quoted(at(name, "so"))}`;
  };
  const lists = shares(units, cores);
  const script = `export LC_ALL=C TMPDIR=${quoted(folder)}\n${lists.map((list) => `{ ${list.map(({ name }) => command(name)).join("; ")}; } &`).join("\n")}\nwait`;
  const { stderr, late, problem } = runBounded("/bin/sh", ["-c", script], settings.compilerTimeout);
  const missing = units.some(({ name }) => !fs.existsSync(at(name, "so")));
  if (!late && problem === null && !missing) return units;
  const why = late
    ? `has not ended after ${settings.compilerTimeout} s (THAW_CC_TIMEOUT)`
    : problem === null
      ? "did not compile a kernel"
      : `cannot be run (${problem})`;
  // Not through files: compilers that run at the same time share this, but their disk may be full.
  const said = stderr.trim().slice(0, 2000);
  throw new CompileError(
    `native: ${compiler} ${why}; THAW_BACKEND=wasm needs no compiler. ` +
      (said === "" ? "It said nothing." : `It said: ${said}`),
  );
}
