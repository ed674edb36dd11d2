import { type Comparison, compareState, type Described, type MatchOptions } from "./compare-state.ts";

type Entries = ReadonlyMap<string, Described>;

/** Another way to call things: what it does to a path, as a program would write it, and where it comes from. */
interface Naming {
  readonly text: string;
  readonly rename: (path: string) => string;
  readonly why: string;
}

const modern = (path: string): string => path.replace(/\bgamma$/, "weight").replace(/\bbeta$/, "bias");
const camel = (path: string): string => path.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
const snake = (path: string): string => path.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

const inModern = '.replace(/\\bgamma$/, "weight").replace(/\\bbeta$/, "bias")';
const inCamel = ".replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase())";
const inSnake = ".replace(/[A-Z]/g, (c) => `_$" + "{c.toLowerCase()}`)";
const gammas = "It says gamma and beta where the module has weight and bias.";
const python = "Its names are written as in Python, the module's in camelCase.";

const namings: readonly Naming[] = [
  { text: inModern, rename: modern, why: gammas },
  { text: inCamel, rename: camel, why: python },
  { text: inModern + inCamel, rename: (path) => camel(modern(path)), why: `${gammas} ${python}` },
  { text: inSnake, rename: snake, why: "Its names are in camelCase, the module's are written as in Python." },
];

/** What Keras and TensorFlow.js call a matrix, which has its rows where a Linear has its columns. */
const kernel = /\bkernel(:0)?$/;
const ofKeras = /\b(kernel|embeddings|moving_mean|moving_variance)(:0)?$/;

/** The entries of a state dict of Keras or TensorFlow.js as thaw would have them, and how a program makes them so. */
function fromKeras(given: Entries): Entries {
  return new Map(
    [...given].map(([name, { dtype, shape }]) => [
      kerasPath(name),
      { dtype, shape: kernel.test(name) && shape.length === 2 ? [...shape].reverse() : shape },
    ]),
  );
}
const kerasPath = (name: string): string =>
  modern(name.replace(/:0$/, "").replaceAll("/", "."))
    .replace(/\b(kernel|embeddings)$/, "weight")
    .replace(/\bmoving_mean$/, "runningMean")
    .replace(/\bmoving_variance$/, "runningVar");
const kerasText =
  "new Map([...dict].map(([name, t]) => [" +
  `name.replace(/:0$/, "").replaceAll("/", ".")${inModern}.replace(/\\b(kernel|embeddings)$/, "weight")` +
  '.replace(/\\bmoving_mean$/, "runningMean").replace(/\\bmoving_variance$/, "runningVar"), ' +
  "/\\bkernel(:0)?$/.test(name) && t.ndim === 2 ? t.t() : t]))";

/** What takes part in the count of what options would load. */
const found = ({ fits, castable, shapes }: Comparison): number =>
  fits.size + castable.length + shapes.length / 2;

/** A way to read the names that finds more than the names as they are. */
interface Way {
  readonly options: MatchOptions;
  readonly rename: string | null;
  readonly why: readonly string[];
}

/** What stands most often before what is known on the other side. */
function commonPrefix(names: Iterable<string>, known: (rest: string) => boolean): string | null {
  const counts = new Map<string, number>();
  for (const name of names)
    for (let at = name.indexOf(".") + 1; at > 0; at = name.indexOf(".", at) + 1)
      if (known(name.slice(at))) counts.set(name.slice(0, at), (counts.get(name.slice(0, at)) ?? 0) + 1);
  const [first] = [...counts].sort(([, a], [, b]) => b - a);
  return first?.[0] ?? null;
}

/** Other ways to read the names than `options`, the simplest first. */
function* ways(given: Entries, members: Entries, options: MatchOptions): Generator<Way> {
  if (options.rename !== undefined) return;
  for (const naming of [null, ...namings]) {
    const rename = naming?.rename ?? ((path: string) => path);
    const why = naming === null ? [] : [naming.why];
    const named = naming === null ? options : { ...options, rename };
    const text = naming?.text ?? "";
    if (naming !== null) yield { options: named, rename: `(path) => path${text}`, why };
    if (options.prefix !== undefined) continue;
    const more = commonPrefix(given.keys(), (rest) => members.has(rename(rest)));
    if (more !== null)
      yield {
        options: { ...named, prefix: more },
        rename: `(path) => path${text}`,
        why: [`The paths of the state dict begin with "${more}", the module's do not.`, ...why],
      };
    const renamed = new Set([...given.keys()].map(rename));
    const less = commonPrefix(members.keys(), (rest) => renamed.has(rest));
    if (less !== null)
      yield {
        options: { ...options, rename: (path) => less + rename(path) },
        rename: `(path) => "${less}" + path${text}`,
        why: [`The module's paths begin with "${less}", those of the state dict do not.`, ...why],
      };
  }
}

/** Options as a program writes them: those given, and those that are needed beside. */
function written(options: MatchOptions, rename: string | null): string {
  const fields: string[] = [];
  if (options.prefix !== undefined) fields.push(`prefix: ${JSON.stringify(options.prefix)}`);
  if (options.rename !== undefined) fields.push(rename === null ? "rename" : `rename: ${rename}`);
  if (options.skipMismatched) fields.push("skipMismatched: true");
  if (options.dtype !== undefined) fields.push('dtype: "module"');
  if (options.strict === false) fields.push("strict: false");
  return `{ ${fields.join(", ")} }`;
}

/** What options must be beside those given so that what fits is loaded; null where nothing would fit. */
function completed(given: Entries, members: Entries, options: MatchOptions): MatchOptions | null {
  const { fits, castable, shapes, dtypes, missing, unexpected, twice } = compareState(
    given,
    members,
    options,
  );
  if (fits.size + castable.length === 0 || dtypes.length > 0 || twice.length > 0) return null;
  return {
    ...options,
    ...(shapes.length > 0 && { skipMismatched: true }),
    ...(castable.length > 0 && { dtype: "module" as const }),
    ...(missing.length + unexpected.length > 0 && { strict: false }),
  };
}

/**
 * What to do about a state dict that does not fit a module, tried before it is said: reasons that can be told from the
 * names and shapes, and the options with which it loads.
 */
export function advice(given: Entries, members: Entries, options: MatchOptions): string[] {
  let best: Way = { options, rename: null, why: [] };
  let most = found(compareState(given, members, options));
  let entries = given;
  for (const way of ways(given, members, options)) {
    const count = found(compareState(given, members, way.options));
    if (count > most) [best, most] = [way, count];
  }
  const lines = [...best.why];
  if ([...given.keys()].some((name) => ofKeras.test(name)) && options.rename === undefined) {
    const converted = fromKeras(given);
    const plain = found(compareState(converted, members, options));
    lines.length = 0;
    lines.push(
      "Its names are those of Keras or TensorFlow.js, whose kernels are the transposes of thaw's weights. " +
        `Convert it first, where dict has its tensors by name (readSafetensors gives those of a file): ${kerasText}.`,
    );
    if (plain === 0) return lines;
    best = { options, rename: null, why: [] };
    entries = converted;
  }
  const needed = completed(entries, members, best.options);
  if (needed === null)
    return [
      ...lines,
      "With no options would anything of it fit: it is of another model, or of other dtypes.",
    ];
  const { shapes, fits, castable } = compareState(entries, members, needed);
  if (shapes.length > 0)
    lines.push(
      `${shapes.map(([path]) => path).join(", ")} ${shapes.length === 1 ? "differs" : "differ"} in shape, as the head of a model for other classes does.`,
    );
  const text = written(needed, best.rename);
  if (text === "{  }") return lines;
  const all = fits.size + castable.length === members.size && needed.strict !== false;
  lines.push(`Pass ${text} to load ${all ? "it" : "what fits by path and leave the rest"}.`);
  return lines;
}
