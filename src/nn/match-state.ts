import { ArgumentError, StateDictError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { printable } from "../base/printable.ts";
import { shapeText } from "../base/shape.ts";
import { type Comparison, compareState, type Described, type MatchOptions } from "./compare-state.ts";
import { advice } from "./match-advice.ts";

/** The paths in which a state dict and a module differ. */
export interface IncompatibleKeys {
  missingKeys: string[];
  unexpectedKeys: string[];
  /** What was skipped because of its shape, where that was asked for. */
  mismatchedKeys?: string[];
}

/** What is to be loaded, and what is not. */
export interface StateMatch {
  /** By path of the module, the name in the state dict. */
  readonly names: ReadonlyMap<string, string>;
  readonly keys: IncompatibleKeys;
}

/** Throws `ArgumentError` for options of a load that cannot be. */
export function checkMatchOptions(what: string, options: MatchOptions): void {
  const { strict, prefix, rename, skipMismatched, dtype } = options;
  const refuse = (name: string, value: unknown, must: string): never => {
    throw new ArgumentError(`${what}: ${name} is ${String(value)}; it must be ${must}`);
  };
  for (const [name, value] of Object.entries({ strict, skipMismatched }))
    if (value !== undefined && typeof value !== "boolean") refuse(name, value, "true or false");
  if (prefix !== undefined && typeof prefix !== "string") refuse("prefix", prefix, "a string");
  if (rename !== undefined && typeof rename !== "function") refuse("rename", rename, "a function of a path");
  if (dtype !== undefined && dtype !== "module")
    refuse("dtype", dtype, '"module", so that what is loaded gets the dtypes there');
}

/** As `checkMatchOptions`, where there are no other options: one that there is not is refused too. */
export function checkLoadOptions(what: string, options: MatchOptions): void {
  const elsewhere = { strict: null, prefix: null, rename: null, skipMismatched: null, dtype: null };
  refuseOptions<MatchOptions>(what, options, elsewhere);
  checkMatchOptions(what, options);
}

const text = ({ dtype, shape }: Described): string => `${dtype}${shapeText(shape)}`;

/**
 * Finds the tensors of a state dict, or of a file, in a module by their paths, or throws `StateDictError` that lists all
 * that does not fit and says what options would load it. `name` is the module's.
 */
export function matchState(
  what: string,
  name: string,
  given: ReadonlyMap<string, Described>,
  members: ReadonlyMap<string, Described>,
  options: MatchOptions,
): StateMatch {
  const { strict = true, skipMismatched = false, dtype } = options;
  const compared = compareState(given, members, options);
  const { fits, missing, unexpected, shapes, castable } = compared;
  const wrong: string[] = [];
  if (strict && missing.length > 0) wrong.push(`missing: ${missing.join(", ")}`);
  if (strict && unexpected.length > 0) wrong.push(`unexpected: ${unexpected.join(", ")}`);
  wrong.push(...differences(compared, given, members, options));
  const names = new Map([...fits, ...(dtype === "module" ? castable : [])]);
  if (wrong.length === 0 && names.size === 0 && members.size > 0 && given.size > 0)
    wrong.push(
      `nothing of it is found in the module: the state dict has ${few([...given.keys()])}, the module ${few([...members.keys()])}`,
    );
  if (wrong.length > 0) {
    const lines = [...wrong.map((line) => `  ${printable(line)}`), ...advice(given, members, options)];
    throw new StateDictError(
      `${what}: the state dict does not fit ${name}; nothing was loaded.\n${lines.join("\n")}`,
    );
  }
  const keys: IncompatibleKeys = { missingKeys: [...missing], unexpectedKeys: [...unexpected] };
  if (skipMismatched) keys.mismatchedKeys = shapes.map(([path]) => path);
  return { names, keys };
}

/** In what things that are on both sides differ, in the order of the module. */
function differences(
  { shapes, castable, dtypes, twice }: Comparison,
  given: ReadonlyMap<string, Described>,
  members: ReadonlyMap<string, Described>,
  { skipMismatched = false, dtype }: MatchOptions,
): string[] {
  const lines = new Map<string, string>();
  const says = ([path, name]: readonly [string, string]): string =>
    `${name} is ${text(given.get(name)!)}, the module has ${text(members.get(path)!)}${name === path ? "" : ` as ${path}`}`;
  if (!skipMismatched) for (const pair of shapes) lines.set(pair[0], says(pair));
  for (const pair of [...(dtype === undefined ? castable : []), ...dtypes])
    lines.set(pair[0], `${says(pair)}: cast it with to("${members.get(pair[0])!.dtype}")`);
  return [
    ...[...members.keys()].flatMap((path) => lines.get(path) ?? []),
    ...twice.map(([path, first, second]) => `${first} and ${second} are both ${path} of the module`),
  ];
}

/** The first few of many names. */
const few = (names: readonly string[]): string =>
  names.length === 0
    ? "nothing"
    : names.slice(0, 3).join(", ") + (names.length > 3 ? `, … (${names.length} in all)` : "");
