import { AnyDropout } from "../../../nn/dropout.ts";
import { hasHooks } from "../../../nn/hooks.ts";
import type { Module } from "../../../nn/module.ts";
import type { Parameter } from "../../../tensor/parameter.ts";
import type { TextModel } from "../../text-model.ts";

/** How many of a model's lowest stages are run once a text, and why not more. */
export interface PrefixChoice {
  /** 0: none is. */
  readonly cut: number;
  /** How many would be, if nothing stood against it. */
  readonly possible: number;
  /** Why none is; null where some are. */
  readonly why: string | null;
  /** Whether `frozenMode: "eval"` would change that. */
  readonly couldBe: boolean;
}

/** What the choice depends on, beside the model as it is now. */
export interface PrefixSettings {
  readonly keeps: boolean;
  readonly trained: ReadonlyMap<string, Parameter>;
  /** Why the objective does not go with it; null: it does. */
  readonly notKept: string | null;
  /** How often a text is seen while these are trained. */
  readonly epochs: number;
}

/** The modules of a stage. */
export const modulesAt = (model: TextModel, paths: readonly string[]): Module[] =>
  model
    .namedModules({ removeDuplicate: false })
    .filter(([path]) => paths.some((own) => path === own || path.startsWith(`${own}.`)))
    .map(([, module]) => module);

/** Chooses as many of the lowest stages as stay as they are, and give the same for a text each time. */
export function prefixChoice(
  model: TextModel,
  { keeps, trained, notKept, epochs }: PrefixSettings,
): PrefixChoice {
  const moving = new Set(trained.values());
  const stages = model.stages().map(({ paths }) => ({ paths, modules: modulesAt(model, paths) }));
  const lowestTrained = stages.findIndex(({ modules }) =>
    modules.some((module) => module.parameters().some((p) => moving.has(p))),
  );
  const possible = lowestTrained < 0 ? stages.length : lowestTrained;
  const none = (why: string): PrefixChoice => ({ cut: 0, possible, why, couldBe: false });
  if (!keeps) return none("keepPrefix is false");
  if (notKept !== null) return none(notKept);
  if (possible === 0)
    return none(stages.length === 0 ? "the model has no stages" : `${stages[0]!.paths[0]} is trained`);
  if (epochs <= 1) return none("no text is seen twice");
  if (model.tokenizer?.settings.paddingSide === "left")
    return none("rows are padded on the left, so that a text stands elsewhere in longer batches");
  // A hook is to be called each time.
  const hooked = model.namedModules().find(([, module]) => hasHooks(module));
  if (hooked !== undefined) return none(`${hooked[0] || "the model"} has a hook`);
  const drops = ({ modules }: (typeof stages)[number]): boolean =>
    modules.some((module) => module instanceof AnyDropout && module.training && module.p > 0);
  const lowestDropping = stages.slice(0, possible).findIndex(drops);
  if (lowestDropping === 0) {
    const couldBe = stages[0]!.modules.every(({ heldMode }) => heldMode === null);
    const remedy = couldBe ? ', which frozenMode: "eval" turns off' : ", and is held in training mode";
    return { ...none(`${stages[0]!.paths[0]} has dropout${remedy}`), couldBe };
  }
  return { cut: lowestDropping < 0 ? possible : lowestDropping, possible, why: null, couldBe: false };
}
