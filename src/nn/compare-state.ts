import { type DType, dtypes } from "../base/dtype.ts";
import { type Shape, sameShape } from "../base/shape.ts";

/** How the paths of a state dict are found in a module, and what may differ. */
export interface MatchOptions {
  /** Whether the paths must be exactly those of the module; default true. */
  strict?: boolean;
  /** What stands before the paths of the state dict and not before the module's, "wrapped.": it is taken off. */
  prefix?: string;
  /** The module's path for one of the state dict, less `prefix`, where they are called otherwise. */
  rename?: (path: string) => string;
  /** Whether what has another shape, as a head for other classes, stays as it is in the module; default false. */
  skipMismatched?: boolean;
  /**
   * "module": floating-point numbers of another dtype become the module's, rounded where that has fewer digits; default:
   * only where nothing is lost, as from bf16 to f32, and else they are an error.
   */
  dtype?: "module";
}

/** What is known of a tensor without its values. */
export interface Described {
  readonly dtype: string;
  readonly shape: Shape;
}

/** What of a state dict is found in a module, and what not. */
export interface Comparison {
  /** By path of the module, the name of what fits: of its dtype, or of one whose every value it holds. */
  readonly fits: ReadonlyMap<string, string>;
  readonly missing: readonly string[];
  /** Names, as the state dict has them. */
  readonly unexpected: readonly string[];
  /** Path and name of what differs in shape; in dtype, where one can be rounded to the other; and where it cannot. */
  readonly shapes: readonly (readonly [path: string, name: string])[];
  readonly castable: readonly (readonly [path: string, name: string])[];
  readonly dtypes: readonly (readonly [path: string, name: string])[];
  /** Two names that lead to one path. */
  readonly twice: readonly (readonly [path: string, first: string, second: string])[];
}

/** The path that a name of the state dict has in the module; null where it lacks the prefix. */
export function pathIn({ prefix = "", rename }: MatchOptions, name: string): string | null {
  if (!name.startsWith(prefix)) return null;
  const path = name.slice(prefix.length);
  return rename === undefined ? path : rename(path);
}

const isFloating = (dtype: string): boolean => dtypes[dtype as DType]?.float ?? false;

/** Floating-point dtypes, by those that hold all their values: what becomes one of them stays as it is. */
const wider: Readonly<Record<string, readonly string[]>> = {
  bf16: ["f32", "f64"],
  f16: ["f32", "f64"],
  f32: ["f64"],
};

/** Compares names, shapes and dtypes. */
export function compareState(
  given: ReadonlyMap<string, Described>,
  members: ReadonlyMap<string, Described>,
  options: MatchOptions,
): Comparison {
  const names = new Map<string, string>();
  const unexpected: string[] = [];
  const twice: [string, string, string][] = [];
  for (const name of given.keys()) {
    const path = pathIn(options, name);
    const first = path === null ? undefined : names.get(path);
    if (path === null || !members.has(path)) unexpected.push(name);
    else if (first !== undefined) twice.push([path, first, name]);
    else names.set(path, name);
  }
  const fits = new Map<string, string>();
  const missing: string[] = [];
  const different = { shapes: [], castable: [], dtypes: [] } as Record<string, [string, string][]>;
  for (const [path, member] of members) {
    const name = names.get(path);
    if (name === undefined) {
      missing.push(path);
      continue;
    }
    const value = given.get(name)!;
    if (!sameShape(value.shape, member.shape)) different.shapes!.push([path, name]);
    else if (value.dtype === member.dtype || wider[value.dtype]?.includes(member.dtype)) fits.set(path, name);
    else if (isFloating(value.dtype) && isFloating(member.dtype)) different.castable!.push([path, name]);
    else different.dtypes!.push([path, name]);
  }
  const { shapes, castable, dtypes } = different as Record<
    "shapes" | "castable" | "dtypes",
    [string, string][]
  >;
  return { fits, missing, unexpected, shapes, castable, dtypes, twice };
}
