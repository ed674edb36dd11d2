/** The one reader of environment variables; in a browser every setting has its default. */
const environment: Record<string, string | undefined> =
  (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};

/** What the environment asks for. */
export const settings = {
  /** `THAW_BACKEND`: name of the backend to use. */
  backend: environment.THAW_BACKEND,
  /** `THAW_THREADS`: threads of the CPU backends; default 1. */
  threads: Math.max(1, Math.trunc(Number(environment.THAW_THREADS ?? 1)) || 1),
  /** `THAW_VERIFY=1`: verify the graph between passes. */
  verify: environment.THAW_VERIFY === "1",
  /** `THAW_MAX_MEMORY`: bytes the wasm backend may grow to; default and most 4 GiB. */
  maxMemory: Math.min(2 ** 32, Number(environment.THAW_MAX_MEMORY ?? 2 ** 32) || 2 ** 32),
};
