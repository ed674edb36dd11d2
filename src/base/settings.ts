/** The one reader of environment variables; in a browser every setting has its default. */
const environment: Record<string, string | undefined> =
  (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};

/** Text that says something: an empty variable is as good as none. */
const text = (name: string): string | undefined => environment[name] || undefined;
const number = (name: string): number | undefined => Number(environment[name]) || undefined;

/** What the environment asks for. */
export const settings = {
  /** `THAW_BACKEND`: name of the backend to use. */
  backend: text("THAW_BACKEND"),
  /** `THAW_THREADS`: threads of the CPU backends; default 1. */
  threads: Math.max(1, Math.trunc(Number(environment.THAW_THREADS ?? 1)) || 1),
  /** `THAW_VERIFY=1`: verify the graph between passes. */
  verify: environment.THAW_VERIFY === "1",
  /** `THAW_MAX_MEMORY`: bytes that a backend may grow to; default: what there is (wasm: 4 GiB, its most). */
  maxMemory: number("THAW_MAX_MEMORY"),
  /** `THAW_CC`: the C compiler of the native backend; default: the first of cc, gcc and clang on the path. */
  compiler: text("THAW_CC"),
  /** `THAW_CC_TIMEOUT`: seconds that compiling a plan's kernels may take; default 120. */
  compilerTimeout: number("THAW_CC_TIMEOUT") ?? 120,
  /** `THAW_CACHE`: folder of compiled kernels; default `thaw` in `$XDG_CACHE_HOME` or `~/.cache`. */
  cache: text("THAW_CACHE"),
  xdgCache: text("XDG_CACHE_HOME"),
  /** `THAW_CACHE_MAX`: bytes that this folder may hold; default 256 MiB. */
  cacheMax: number("THAW_CACHE_MAX") ?? 2 ** 28,
  /** `THAW_KERNELS`: a folder that `thaw compile` made, whose kernels are used as they are. */
  kernels: text("THAW_KERNELS"),
  /** `THAW_KERNELS_OUT`: a folder that is given a copy of every kernel used: what `thaw compile` sets. */
  kernelsOut: text("THAW_KERNELS_OUT"),
  /** `THAW_SANITIZE=1`: for thaw's own tests: kernels look out for what C leaves undefined, each buffer by itself. */
  sanitize: environment.THAW_SANITIZE === "1",
  path: environment.PATH ?? "",
};
