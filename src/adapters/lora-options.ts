import { ArgumentError } from "../base/errors.ts";

/** Which modules are meant: ends of their paths, an expression for the whole of a path, or "all-linear". */
export type TargetModules = readonly string[] | RegExp | string;

/** Which biases an adapter trains: none, all of the model, or those of the layers that it adapts. */
export type BiasChoice = "none" | "all" | "loraOnly";

/** Options of `lora`, with PEFT's meaning. */
export interface LoraOptions<N extends string = string> {
  /**
   * The layers, `nn.Linear` or `nn.Embedding`, that get low-rank parts: whole paths or their ends (`["query", "value"]`),
   * an expression that a whole path matches, or "all-linear": every `nn.Linear` but those of the head. An empty array: none.
   */
  readonly targetModules: TargetModules;
  /** How many columns the parts have; 8. */
  readonly rank?: number;
  /** The parts count alpha / rank times; 8. */
  readonly alpha?: number;
  /** The probability with which the input of the parts is dropped in training; 0. */
  readonly dropout?: number;
  /** Modules, by their paths or the ends of these, that are trained whole, in a copy. */
  readonly modulesToSave?: readonly string[];
  /** Biases that are trained, in copies; "none". */
  readonly bias?: BiasChoice;
  /** Whether the parts count alpha / √rank times. */
  readonly useRslora?: boolean;
  /** Whether the length of each row of a weight is trained apart from its direction (DoRA). */
  readonly useDora?: boolean;
  /** Other ranks, by an expression for the end of a path. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  /** Other alphas, by an expression for the end of a path. */
  readonly alphaPattern?: Readonly<Record<string, number>>;
  /** Modules that `targetModules` names and that are not meant. */
  readonly excludeModules?: readonly string[] | RegExp | string;
  /** The numbers of the layers that are meant, where `targetModules` is an array. */
  readonly layersToTransform?: number | readonly number[];
  /** What stands before the number of a layer in its path; unless given, whatever stands before the first number. */
  readonly layersPattern?: string | readonly string[];
  /** Rows that are trained, by the end of the path of the embedding, or of the head, whose table has them. */
  readonly trainableTokenIndices?: Readonly<Record<string, readonly number[]>>;
  /**
   * Whether what an adapter does to a tied weight happens wherever that stands; true. With false, as PEFT has it unless
   * told: only where a module is named, so that a merge is refused.
   */
  readonly ensureWeightTying?: boolean;
  /**
   * How the parts begin: true, so that they change nothing yet; "gaussian", so too, with a normal distribution; false, at
   * random.
   */
  readonly initLoraWeights?: boolean | "gaussian";
  /** What the adapter is called; "default". */
  readonly adapterName?: N;
}

/** The options of an adapter, all of them. */
export type LoraConfig = Required<
  Omit<LoraOptions, "adapterName" | "layersToTransform" | "layersPattern">
> & {
  readonly layersToTransform: readonly number[] | null;
  readonly layersPattern: readonly string[];
};

const refuse = (what: string): never => {
  throw new ArgumentError(`lora: ${what}`);
};

const list = (name: string, value: unknown): readonly string[] => {
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string" && item !== ""))
    refuse(`${name} is ${JSON.stringify(value)}; it must be an array of names`);
  return [...(value as string[])];
};

const flag = (name: string, value: unknown): boolean => {
  if (typeof value !== "boolean") refuse(`${name} is ${String(value)}; it must be true or false`);
  return value as boolean;
};

const ranked = (name: string, value: unknown): number => {
  if (!Number.isInteger(value) || (value as number) < 1)
    refuse(`${name} is ${String(value)}; a rank is a whole number from 1 on`);
  return value as number;
};

const finite = (name: string, value: unknown): number => {
  if (typeof value !== "number" || !Number.isFinite(value))
    refuse(`${name} is ${String(value)}; it must be a finite number`);
  return value as number;
};

function byPattern(
  name: string,
  patterns: Readonly<Record<string, number>>,
  check: (name: string, value: unknown) => number,
): Readonly<Record<string, number>> {
  for (const [pattern, value] of Object.entries(patterns)) {
    expression(name, pattern);
    check(`${name} of ${JSON.stringify(pattern)}`, value);
  }
  return { ...patterns };
}

/** An expression for a whole path; throws `ArgumentError` for one that is none. */
export function expression(name: string, pattern: RegExp | string): RegExp {
  // Names of groups are written so in Python's expressions, which PEFT's configs have.
  const source = typeof pattern === "string" ? pattern.replaceAll("(?P<", "(?<") : pattern.source;
  if (typeof pattern !== "string" && /[imsv]/.test(pattern.flags))
    refuse(`${name} is ${String(pattern)}; flags cannot be written into a config: leave them out`);
  try {
    return new RegExp(`^(?:${source})$`);
  } catch (error) {
    return refuse(`${name}: ${JSON.stringify(source)} is no expression: ${(error as Error).message}`);
  }
}

const targets = (name: string, value: unknown): TargetModules => {
  if (typeof value === "string" || value instanceof RegExp) {
    if (value !== "all-linear") expression(name, value);
    return value;
  }
  return list(name, value);
};

const biases: readonly BiasChoice[] = ["none", "all", "loraOnly"];
const known = new Set<keyof LoraOptions>([
  ...([
    "targetModules",
    "rank",
    "alpha",
    "dropout",
    "modulesToSave",
    "bias",
    "useRslora",
    "useDora",
  ] as const),
  ...(["rankPattern", "alphaPattern", "excludeModules", "layersToTransform", "layersPattern"] as const),
  ...(["trainableTokenIndices", "ensureWeightTying", "initLoraWeights", "adapterName"] as const),
]);

/** Options with what they are unless given. Throws `ArgumentError` for those that cannot be. */
export function loraConfig(options: LoraOptions): LoraConfig {
  if (typeof options !== "object" || options === null)
    refuse('the second argument is the options, as { targetModules: ["query", "value"], rank: 8 }');
  for (const name of Object.keys(options))
    if (!known.has(name as keyof LoraOptions))
      refuse(`there is no option ${name}; there is ${[...known].join(", ")}`);
  const { dropout = 0, bias = "none", initLoraWeights = true, trainableTokenIndices = {} } = options;
  if (options.targetModules === undefined)
    refuse('targetModules is not given; name layers, as ["query", "value"], or say "all-linear"');
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1))
    refuse(`dropout is ${String(dropout)}; it must be a number from 0 up to, and without, 1`);
  if (!biases.includes(bias)) refuse(`bias is ${JSON.stringify(bias)}; it is one of ${biases.join(", ")}`);
  if (initLoraWeights !== "gaussian") flag("initLoraWeights", initLoraWeights);
  for (const [module, rows] of Object.entries(trainableTokenIndices))
    if (!Array.isArray(rows) || rows.length === 0 || new Set(rows).size !== rows.length)
      refuse(
        `trainableTokenIndices of ${JSON.stringify(module)} must be an array of numbers of rows, each once`,
      );
  const targetModules = targets("targetModules", options.targetModules);
  const { layersToTransform, layersPattern = [] } = options;
  if (layersToTransform !== undefined && !Array.isArray(targetModules))
    refuse("layersToTransform goes with an array of targetModules; an expression can name the layers itself");
  const layers = layersToTransform === undefined ? null : [layersToTransform].flat();
  if (layers?.some((layer) => !Number.isInteger(layer) || layer < 0))
    refuse(
      `layersToTransform is ${JSON.stringify(layersToTransform)}; it must be numbers of layers, from 0 on`,
    );
  return {
    targetModules,
    rank: ranked("rank", options.rank ?? 8),
    alpha: finite("alpha", options.alpha ?? 8),
    dropout,
    modulesToSave: list("modulesToSave", options.modulesToSave ?? []),
    bias,
    useRslora: flag("useRslora", options.useRslora ?? false),
    useDora: flag("useDora", options.useDora ?? false),
    rankPattern: byPattern("rankPattern", options.rankPattern ?? {}, ranked),
    alphaPattern: byPattern("alphaPattern", options.alphaPattern ?? {}, finite),
    excludeModules: targets("excludeModules", options.excludeModules ?? []) as LoraConfig["excludeModules"],
    layersToTransform: layers,
    layersPattern: list("layersPattern", [layersPattern].flat()),
    trainableTokenIndices: Object.fromEntries(
      Object.entries(trainableTokenIndices).map(([module, rows]) => [module, [...rows]]),
    ),
    ensureWeightTying: flag("ensureWeightTying", options.ensureWeightTying ?? true),
    initLoraWeights,
  };
}
