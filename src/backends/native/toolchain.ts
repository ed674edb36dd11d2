import { BackendError } from "../../base/errors.ts";
import { settings } from "../../base/settings.ts";
import { featureOf, processor } from "./machine.ts";
import { digestOf, node } from "./node.ts";
import { runBounded } from "./run-bounded.ts";
import { type Described, readDescribed } from "./toolchain-file.ts";

/** A compiler, and the machine that it compiles for. */
export interface Toolchain extends Described {
  /** Path of the compiler. */
  readonly compiler: string;
}

/** The switch that has a compiler use all that this machine's processor can. */
const nativeSwitch = (): string => (process.arch === "arm64" ? "-mcpu=native" : "-march=native");

/**
 * How kernels are compiled: arithmetic is as it is written, nothing is fused or reordered. The C is in vectors and
 * unrolled already, so that of what gcc does beyond -O1 only -fgcse shows; -O2 takes 30 % longer for 2 % on polynomials.
 */
export const flags = ({ version }: Pick<Toolchain, "version">): readonly string[] => [
  "-std=gnu11",
  ...(settings.sanitize
    ? ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    : version.startsWith("gcc (")
      ? ["-O1", "-fgcse"]
      : ["-O2"]),
  "-ffp-contract=off",
  "-fno-math-errno",
  "-fno-trapping-math",
  nativeSwitch(),
  "-fPIC",
  "-w",
];

/** Whether a path names a file that can be run. */
function isProgram(place: string): boolean {
  const { fs } = node();
  try {
    fs.accessSync(place, fs.constants.X_OK);
    return fs.statSync(place).isFile();
  } catch {
    return false;
  }
}

/** Path of the compiler that is asked for, or of the first there is; throws `BackendError` where there is none. */
export function findCompiler(): string {
  const { platform, arch } = process;
  if (!["linux", "darwin"].includes(platform) || !["x64", "arm64"].includes(arch))
    throw new BackendError(`native: not supported on ${platform} ${arch}; the wasm backend runs everywhere`);
  const { path } = node();
  const names = settings.compiler === undefined ? ["cc", "gcc", "clang"] : [settings.compiler];
  const folders = settings.path.split(path.delimiter).filter((folder) => folder !== "");
  for (const name of names) {
    const places = name.includes("/") ? [path.resolve(name)] : folders.map((f) => path.join(f, name));
    const found = places.find(isProgram);
    // As it is called: what a link points to may be a program that acts by its name (ccache).
    if (found !== undefined) return found;
  }
  throw new BackendError(
    settings.compiler === undefined
      ? "native: there is no C compiler; install gcc or clang (Debian: apt install gcc; macOS: xcode-select --install)"
      : `native: there is no compiler ${settings.compiler}, which THAW_CC names`,
  );
}

/** Runs the compiler for what it says; throws `BackendError` where it fails, or takes longer than 20 seconds. */
function ask(compiler: string, args: readonly string[]): string {
  const limit = Math.min(20, settings.compilerTimeout);
  const { status, stdout, stderr, late, problem } = runBounded(compiler, args, limit);
  if (status === 0 && problem === null) return stdout;
  const why = late
    ? `it has not ended after ${limit} s`
    : (problem ?? `status ${status}: ${stderr.trim().slice(0, 400)}`);
  throw new BackendError(`native: ${compiler} ${args.join(" ")} failed (${why})`);
}

/** Instruction sets that compilers use without being asked to in so many words. */
const unasked =
  /^__(ARM_FEATURE_)?(AVX(?!512VP2)|SSE[23]|SSE4_|SSSE3|FMA|F16C|BMI|LZCNT|POPCNT|MOVBE|GFNI|SVE|DOTPROD|ATOMICS|RCPC)/;

function probe(compiler: string): Toolchain {
  const line = ask(compiler, ["--version"]).split("\n")[0]!;
  const macros = ask(compiler, [nativeSwitch(), "-dM", "-E", "-x", "c", "-"])
    .split("\n")
    .filter((line) => line !== "")
    .sort();
  const names = new Set(macros.map((line) => line.split(" ")[1]!));
  const has = (...wanted: string[]) => wanted.every((name) => names.has(name));
  // Gcc begins with what it was called as: cc, or a name with its number.
  const version = has("__clang__") ? line : line.replace(/^\S+ \(/, "gcc (");
  const { caches, features } = processor();
  const vectorBytes = has("__AVX512F__", "__AVX512BW__", "__AVX512DQ__", "__AVX512VL__")
    ? 64
    : has("__AVX2__")
      ? 32
      : 16;
  const fma = has("__FMA__") || process.arch === "arm64";
  return {
    compiler,
    version,
    target: { vectorBytes, fma, ...caches },
    features: [...names].filter((name) => unasked.test(name) && features.includes(featureOf(name))),
    fingerprint: digestOf(version, macros.join("\n"), JSON.stringify(caches)),
  };
}

/** Of the file in which what a compiler said is remembered. Another one with another meaning of its fields. */
const format = 1;

/**
 * What a compiler makes here. What it said of itself is remembered in `folder` while neither it nor the processor is
 * another one, so that a process that finds all its kernels compiled runs no compiler at all.
 */
export function toolchainOf(compiler: string, folder: string): Toolchain {
  const { fs, path } = node();
  const { mtimeMs, size } = fs.statSync(compiler);
  const key = digestOf(compiler, `${mtimeMs} ${size}`, processor().id);
  const file = path.join(folder, `compiler-${key.slice(0, 32)}.json`);
  try {
    const { version, target, features, fingerprint, ...rest } = readDescribed(file, format);
    if (rest.compiler === compiler) return { compiler, version, target, features, fingerprint };
  } catch {
    // Nothing is remembered, or it cannot be read, or another version of thaw has written it.
  }
  const found = probe(compiler);
  writeQuietly(file, JSON.stringify({ format, ...found }));
  return found;
}

/** Writes a file that can be done without. */
function writeQuietly(file: string, text: string): void {
  const { fs } = node();
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    fs.writeFileSync(temporary, text, { mode: 0o600 });
    fs.renameSync(temporary, file);
  } catch {
    try {
      fs.rmSync(temporary, { force: true });
    } catch {
      // It was never there.
    }
  }
}
