import { CompileError } from "../../base/errors.ts";
import { settings } from "../../base/settings.ts";
import { node } from "./node.ts";
import { flags, type Toolchain } from "./toolchain.ts";

/** A unit to compile: its name in a folder, and its C. */
export interface Unit {
  readonly name: string;
  readonly source: string;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Units in as many lists as there are cores, of about the same length of text together. */
function shares(units: readonly Unit[], count: number): Unit[][] {
  const lists = Array.from({ length: Math.min(count, units.length) }, () => ({
    units: [] as Unit[],
    size: 0,
  }));
  for (const unit of [...units].sort((a, b) => b.source.length - a.source.length)) {
    const least = lists.reduce((a, b) => (b.size < a.size ? b : a));
    least.units.push(unit);
    least.size += unit.source.length;
  }
  return lists.map((list) => list.units);
}

/**
 * Compiles units into shared objects, `folder/NAME.so`, several at a time. Throws `CompileError` with what the compiler
 * said, or that it took too long: it is then ended with everything it has started.
 */
export function compile(units: readonly Unit[], folder: string, { compiler }: Toolchain): void {
  const { fs, path, os, spawn } = node();
  const at = (name: string, kind: string) => path.join(folder, `${name}.${kind}`);
  for (const { name, source } of units) fs.writeFileSync(at(name, "c"), source);
  const link = ["-shared", "-Wl,-O1", ...(process.platform === "darwin" ? [] : ["-Wl,--build-id=none"])];
  const command = (name: string): string =>
    [
      ...[compiler, ...flags(), ...link, "-o", at(name, "so"), at(name, "c"), "-lm", "-lpthread", "-ldl"].map(
        quoted,
      ),
      `2>${quoted(at(name, "txt"))}`,
    ].join(" ");
  const lists = shares(units, os.availableParallelism());
  const script = `export LC_ALL=C TMPDIR=${quoted(folder)}\n${lists.map((list) => `{ ${list.map(({ name }) => command(name)).join("; ")}; } &`).join("\n")}\nwait`;
  const started = performance.now();
  const options = {
    // A group of its own, so that nothing is left behind.
    detached: true,
    input: "",
    timeout: settings.compilerTimeout * 1000,
    killSignal: "SIGKILL" as const,
  };
  const { pid, error } = spawn("/bin/sh", ["-c", script], options);
  const told = (name: string): string => {
    const text = fs.existsSync(at(name, "txt")) ? fs.readFileSync(at(name, "txt"), "utf8").trim() : "";
    return text.length > 2000 ? `${text.slice(0, 2000)} …` : text;
  };
  if (error !== undefined) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
    const late = (error as NodeJS.ErrnoException).code === "ETIMEDOUT";
    const waited = ((performance.now() - started) / 1000).toFixed(0);
    throw new CompileError(
      late
        ? `native: ${compiler} has not ended after ${waited} s (THAW_CC_TIMEOUT); THAW_BACKEND=wasm needs no compiler. ${told(units[0]!.name)}`
        : `native: ${compiler} cannot be run: ${error.message}`,
    );
  }
  const missing = units.find(({ name }) => !fs.existsSync(at(name, "so")));
  if (missing !== undefined)
    throw new CompileError(
      `native: ${compiler} did not compile a kernel; THAW_BACKEND=wasm needs no compiler. It said: ${told(missing.name) || "nothing"}`,
    );
}
