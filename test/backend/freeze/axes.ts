import ways from "../../oracle/freeze/optimizers.json" with { type: "json" };

/** Every optimizer, with its options by the way that it is used. The fixture of PyTorch's leaks has the same. */
export const optimizers: Readonly<Record<string, Readonly<Record<string, object>>>> = ways;

/** Those whose rule couples the elements of a matrix: what is trained of one is a matrix of its own. */
export const coupled: ReadonlySet<string> = new Set(["Adafactor", "Muon"]);

/** What stands in the gradient of what is held when the optimizer steps. */
export const gradientKinds = ["null", "zero", "stale", "NaN", "infinite"] as const;
export type GradientKind = (typeof gradientKinds)[number];

/** Ways of holding a parameter: in a `trainStep`, or in a loop written by hand. */
export const mechanisms = {
  trains: { loop: "trainStep" },
  "a task switch": { loop: "trainStep" },
  "a scope around trainStep": { loop: "trainStep" },
  "a scope opened before forward": { loop: "hand" },
  "a scope between forward and backward": { loop: "hand" },
  "a scope between backward and step": { loop: "hand" },
  "grad = null": { loop: "hand" },
  "requiresGrad = false": { loop: "hand" },
  "a task switch by hand": { loop: "hand" },
  "a gradient mask": { loop: "hand" },
} as const satisfies Record<string, { loop: "trainStep" | "hand" }>;
export type Mechanism = keyof typeof mechanisms;

/** PyTorch's own ways, below the contract: with any gradient that is not null they leak, as they do there. */
const belowTheContract: ReadonlySet<Mechanism> = new Set([
  "requiresGrad = false",
  "a task switch by hand",
  "a gradient mask",
]);

/** Whether the contract covers a combination: nothing of what is held may move. If not, it moves as in PyTorch. */
export const holds = ({ mechanism, gradient }: Combination): boolean =>
  gradient === "null" || !belowTheContract.has(mechanism);

/**
 * Whether the running statistics of the branch are held with it. They belong to forward: a scope that freezes the
 * module holds them if it is open by then, a task that leaves the branch out too. What concerns the weight alone
 * (a scope opened later, and PyTorch's own ways) does not.
 */
export const holdsStatistics = ({ mechanism }: Combination): boolean =>
  mechanisms[mechanism].loop === "trainStep" ||
  mechanism === "a scope opened before forward" ||
  mechanism === "a task switch by hand";

/**
 * Whether the average of what is held is held with it: that of what a scope freezes, or a trainStep leaves out. By hand
 * without a scope, an `ema.update()` is of everything.
 */
export const holdsAverage = ({ mechanism }: Combination): boolean =>
  mechanisms[mechanism].loop === "trainStep" || mechanism.startsWith("a scope");

/** What is held: selectors of it and of the rest of its parameter, and whether each element is held. */
export interface Held {
  readonly held: string | readonly boolean[];
  readonly rest: string | readonly boolean[] | null;
  readonly flags: readonly boolean[];
}

const flags = (text: string): boolean[] => [...text].map((flag) => flag === "1");

/** All of a parameter, or a region of it. */
export const helds = {
  "the whole": { held: "held.weight", rest: null, flags: flags("111111") },
  rows: { held: "held.weight[1:]", rest: "held.weight[:1]", flags: flags("001111") },
  "an index list": { held: "held.weight[[0, 2]]", rest: "held.weight[1]", flags: flags("110011") },
  columns: { held: "held.weight[:, 1:]", rest: "held.weight[:, :1]", flags: flags("010101") },
  "a boolean mask": { held: flags("011010"), rest: flags("100101"), flags: flags("011010") },
} as const satisfies Record<string, Held>;
export type HeldName = keyof typeof helds;

/** What an optimizer's own options make of it: each is a way in `optimizers`, where the optimizer has it. */
const optionSurroundings = ["plain", "coupled decay", "decoupled decay", "momentum", "amsgrad"] as const;

/** What is around the optimizer; it then uses as many of its options as there are. */
const otherSurroundings = [
  "clipping by norm",
  "clipping by value",
  "accumulation",
  "parameter groups",
  "tied weights",
  "EMA",
  "dropout",
  "buffers",
  "attention",
  "norm layers",
  "capture",
  "resume",
] as const;

export const surroundings = [...optionSurroundings, ...otherSurroundings];
export type Surrounding = (typeof surroundings)[number];

/** Those that work on gradients and state by region. */
const regionSurroundings: ReadonlySet<Surrounding> = new Set(["clipping by norm", "accumulation"]);

/** One case of the matrix. */
export interface Combination {
  readonly optimizer: string;
  /** Which of the optimizer's options are used. */
  readonly way: string;
  readonly surrounding: Surrounding;
  readonly mechanism: Mechanism;
  readonly gradient: GradientKind;
  readonly what: HeldName;
}

/** Why a combination is not in the matrix, or null. */
function skipped({ optimizer, way, surrounding, mechanism, gradient, what }: Combination): string | null {
  const { loop } = mechanisms[mechanism];
  if (!(way in optimizers[optimizer]!)) return "the optimizer has no such option";
  if (what === "a boolean mask" && coupled.has(optimizer)) return "single elements are no matrix: it refuses";
  if (surrounding === "capture" && loop === "trainStep") return "a trainStep is captured always";
  if (what === "the whole")
    return mechanism === "a gradient mask"
      ? "all of it masked is a gradient of zeros, by itself an axis"
      : null;
  if (
    mechanism === "grad = null" ||
    mechanism === "requiresGrad = false" ||
    mechanism === "a task switch by hand"
  )
    return "a gradient is null, or not asked for, of a whole parameter";
  if (surrounding === "buffers") return "statistics are a module's, which is frozen as a whole or not";
  if (surrounding === "dropout" || surrounding === "clipping by value")
    return "neither looks beyond an element: it has nothing to do with regions";
  if (loop === "trainStep" && (gradient === "null" || gradient === "zero"))
    return "a trainStep takes gradients from its loss: what else lies about is the same as a stale one";
  if (loop === "hand" && gradient === "null")
    return "without any gradient the rest of the parameter stands still too";
  if (mechanism === "a gradient mask" && (gradient !== "zero" || what !== "rows"))
    return "a mask leaves zeros; of what region makes no difference to an elementwise update";
  if (what !== "rows" && !regionSurroundings.has(surrounding))
    return "how a region is named decides what is gathered and where it is put, not by what rule";
  return null;
}

/** Every combination that means something, in order. */
export function combinations(): Combination[] {
  const all: Combination[] = [];
  for (const optimizer of Object.keys(optimizers))
    for (const surrounding of surroundings)
      for (const what of Object.keys(helds) as HeldName[])
        for (const mechanism of Object.keys(mechanisms) as Mechanism[])
          for (const gradient of gradientKinds) {
            const isOption = (optionSurroundings as readonly string[]).includes(surrounding);
            const combination: Combination = {
              optimizer,
              way: isOption ? surrounding : "everything",
              surrounding,
              mechanism,
              gradient,
              what,
            };
            if (skipped(combination) === null) all.push(combination);
          }
  return all;
}

/** A combination in words. */
export const nameOf = ({ optimizer, surrounding, mechanism, gradient, what }: Combination): string =>
  `${optimizer}, ${surrounding}: ${what} held by ${mechanism}, ${gradient} gradient`;
