import { CompileError } from "../../base/errors.ts";
import { settings } from "../../base/settings.ts";
import type { CUnit } from "../../targets/c/unit.ts";
import { node } from "./node.ts";
import { runScript } from "./run-bounded.ts";
import { flags, type Toolchain } from "./toolchain.ts";

/** What is to be compiled: its name in a folder, and its C. */
export interface Source extends CUnit {
  readonly name: string;
}

/** What the compiler reads as one file: the sources of these names. */
interface Unit {
  readonly name: string;
  readonly names: string[];
  readonly functions: Set<string>;
  text: string;
}

/** What one run of the compiler makes: an object of the first source's name, which the others share. */
interface Run {
  readonly name: string;
  readonly units: Unit[];
  size: number;
}

/** What a kernel's function is called in its object, which may hold several. */
export const symbolOf = (name: string): string => `run_${name}`;

/** A source's own function under its own name. */
const named = ({ name, body }: Source): string => `#define run ${symbolOf(name)}\n${body}\n#undef run\n`;

/** Sources that one unit may hold. Starting a compiler takes about as long as one of them does. */
const mostTogether = 12;

/** Units of about the same size, as many as there are cores or a multiple; a function is in a unit once. */
function unitsOf(sources: readonly Source[], cores: number): Unit[] {
  const units: Unit[] = [];
  const open = new Map<string, Source[]>();
  for (const source of sources) {
    const { name, prelude } = source;
    if (prelude === "") units.push({ name, names: [name], functions: new Set(), text: named(source) });
    else open.set(prelude, [...(open.get(prelude) ?? []), source]);
  }
  for (const [prelude, list] of open) {
    const count = Math.max(Math.min(cores, list.length), Math.ceil(list.length / mostTogether));
    const parts = Array.from(
      { length: count },
      (): Unit => ({ name: "", names: [], functions: new Set(), text: prelude }),
    );
    const size = ({ functions, body }: Source) => functions.reduce((sum, f) => sum + f.length, body.length);
    for (const source of list.sort((a, b) => size(b) - size(a))) {
      /** What a unit comes to with this source. */
      const lengthIn = ({ functions, text }: Unit) =>
        text.length + size({ ...source, functions: source.functions.filter((f) => !functions.has(f)) });
      const least = parts.reduce((a, b) => (lengthIn(b) < lengthIn(a) ? b : a));
      least.names.push(source.name);
      for (const f of source.functions) if (!least.functions.has(f)) least.text += f;
      for (const f of source.functions) least.functions.add(f);
      least.text += named(source);
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

/** As many runs as there are cores, with about the same length of text: to start a compiler and to link costs as much as a unit. */
function runsOf(units: readonly Unit[], cores: number): Run[] {
  const runs = Array.from(
    { length: Math.min(cores, units.length) },
    (): Run => ({ name: "", units: [], size: 0 }),
  );
  for (const unit of [...units].sort((a, b) => b.text.length - a.text.length)) {
    const least = runs.reduce((a, b) => (b.size < a.size ? b : a));
    least.units.push(unit);
    least.size += unit.text.length;
  }
  return runs.map((run) => ({ ...run, name: run.units[0]!.name }));
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
  const link = ["-pipe", "-shared", "-Wl,-O1", ...(process.platform === "darwin" ? [] : fewMaps)];
  // Assembling goes on beside compiling (-pipe). What a compiler that fails has written is no object.
  const command = ({ name, units }: Run): string => {
    const libraries = ["-lm", "-lpthread", "-ldl"];
    const texts = units.map((unit) => at(unit.name, "c"));
    const args = [compiler, ...flags(toolchain), ...link, "-o", at(name, "so"), ...texts, ...libraries];
    return `${args.map(quoted).join(" ")} >&2 || rm -f ${quoted(at(name, "so"))}`;
  };
  const runs = runsOf(units, cores);
  const script = `export LC_ALL=C TMPDIR=${quoted(folder)}\n${runs.map((run) => `{ ${command(run)}; } &`).join("\n")}\nwait`;
  const { stderr, late, problem } = runScript(script, settings.compilerTimeout);
  const missing = runs.some(({ name }) => !fs.existsSync(at(name, "so")));
  if (!late && problem === null && !missing)
    return runs.map(({ name, units }) => ({ name, names: units.flatMap(({ names }) => names) }));
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
