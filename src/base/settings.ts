import { SettingError } from "./errors.ts";

/** Text that says something: an empty variable is as good as none. */
const text = (value: string): string => value;

const refused = (name: string, value: string, what: string): SettingError =>
  new SettingError(`${name} is ${JSON.stringify(value)}, which cannot be used: ${what}.`);

/** Whole numbers, in digits alone: no sign, no fraction, no unit. */
const whole =
  (least: number, most: number, what: string) =>
  (value: string, name: string): number => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most)
      throw refused(name, value, `it takes ${what}, a whole number from ${least} to ${most}`);
    return number;
  };

const units: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes as digits, or with a unit that means one thing: GB is 2^30 to some and 10^9 to others. */
const bytes =
  (least: number) =>
  (value: string, name: string): number => {
    const [, digits, unit] = /^(\d+) ?([KMGT]iB|)$/.exec(value) ?? [];
    const number = Number(digits) * units[unit ?? ""]!;
    if (digits === undefined || number < least || number > Number.MAX_SAFE_INTEGER)
      throw refused(
        name,
        value,
        `it takes bytes, as 1073741824, or with KiB, MiB, GiB or TiB, as 1GiB, and ${least} at least; KB, MB and GB are not taken, as they mean two things`,
      );
    return number;
  };

/** A length of time in seconds, as 30 or 0.5. */
function seconds(value: string, name: string): number {
  const number = Number(value);
  if (!/^\d+(\.\d+)?$/.test(value) || number < 0.001 || number > 86_400)
    throw refused(name, value, "it takes seconds, as 120 or 0.5, from 0.001 to 86400");
  return number;
}

/** A switch: 1 or 0. */
function onOff(value: string, name: string): boolean {
  if (value !== "0" && value !== "1") throw refused(name, value, "it takes 1 or 0");
  return value === "1";
}

/** What the environment asks for. A variable that is not set, or empty, leaves its setting at the default. */
interface Settings {
  /** `THAW_BACKEND`: name of the backend to use. */
  backend: string | undefined;
  /** `THAW_THREADS`: threads of the CPU backends; default: those that the machine gives this process, where work is large. */
  threads: number | undefined;
  /** `THAW_VERIFY=1`: verify the graph between passes. */
  verify: boolean;
  /** `THAW_MAX_MEMORY`: bytes that a backend may grow to; default: what there is (wasm: 4 GiB at most). */
  maxMemory: number | undefined;
  /** `THAW_CC`: the C compiler of the native backend; default: the first of cc, gcc and clang on the path. */
  compiler: string | undefined;
  /** `THAW_CC_TIMEOUT`: seconds that compiling a plan's kernels may take; default 120. */
  compilerTimeout: number;
  /** `THAW_CACHE`: folder of compiled kernels; default `thaw` in `$XDG_CACHE_HOME` or `~/.cache`. */
  cache: string | undefined;
  xdgCache: string | undefined;
  /** `THAW_CACHE_MAX`: bytes that this folder may hold; default 256 MiB. */
  cacheMax: number;
  /** `THAW_KERNELS`: a folder that `thaw compile` made, whose kernels are used as they are. */
  kernels: string | undefined;
  /** `THAW_KERNELS_OUT`: a folder that is given a copy of every kernel used: what `thaw compile` sets. */
  kernelsOut: string | undefined;
  /** `THAW_SANITIZE=1`: for thaw's own tests: kernels look out for what C leaves undefined, each buffer by itself. */
  sanitize: boolean;
  /** `THAW_MPI`: the library of MPI; default: the one that goes with what started the ranks. */
  mpi: string | undefined;
  /** `THAW_GROUP_TIMEOUT`: seconds that a rank waits for another before that one counts as hung; default 300. */
  groupTimeout: number;
  /** `THAW_GROUP_SILENCE`: seconds without a word after which a rank counts as stopped, or cut off; default 20. */
  groupSilence: number;
  /** `THAW_GROUP_RESTARTS`: how often all ranks have been started again: what `thaw run` sets. */
  groupRestarts: number;
  path: string;
}

/** Threads that a backend may have: the native runtime has room for so many. */
export const mostThreads = 256;

/** Reads all settings of an environment; throws `SettingError` for one with a value that cannot be. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const take = <T>(name: string, parse: (value: string, name: string) => T): T | undefined => {
    const value = environment[name];
    return value === undefined || value === "" ? undefined : parse(value, name);
  };
  return {
    backend: take("THAW_BACKEND", text),
    threads: take("THAW_THREADS", whole(1, mostThreads, "the number of threads")),
    verify: take("THAW_VERIFY", onOff) ?? false,
    maxMemory: take("THAW_MAX_MEMORY", bytes(2 ** 20)),
    compiler: take("THAW_CC", text),
    compilerTimeout: take("THAW_CC_TIMEOUT", seconds) ?? 120,
    cache: take("THAW_CACHE", text),
    xdgCache: take("XDG_CACHE_HOME", text),
    cacheMax: take("THAW_CACHE_MAX", bytes(0)) ?? 2 ** 28,
    kernels: take("THAW_KERNELS", text),
    kernelsOut: take("THAW_KERNELS_OUT", text),
    sanitize: take("THAW_SANITIZE", onOff) ?? false,
    mpi: take("THAW_MPI", text),
    groupTimeout: take("THAW_GROUP_TIMEOUT", seconds) ?? 300,
    groupSilence: take("THAW_GROUP_SILENCE", seconds) ?? 20,
    groupRestarts: take("THAW_GROUP_RESTARTS", whole(0, 2 ** 31 - 1, "a number of restarts")) ?? 0,
    path: take("PATH", text) ?? "",
  };
}

let known: Settings | null = null;
const all = (): Settings =>
  (known ??= readSettings(
    (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {},
  ));

/**
 * The one reader of environment variables; in a browser every setting has its default. They are read when the first of
 * them is asked for, all at once, so that importing thaw throws nothing.
 */
export const settings: Settings = {} as Settings;
for (const name of Object.keys(readSettings({})) as (keyof Settings)[])
  Object.defineProperty(settings, name, {
    enumerable: true,
    get: () => all()[name],
    set: (value: never) => {
      all()[name] = value;
    },
  });
