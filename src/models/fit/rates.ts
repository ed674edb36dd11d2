import { ArgumentError } from "../../base/errors.ts";
import { select } from "../../freeze/select.ts";
import type { Module } from "../../nn/module.ts";
import type { Parameter } from "../../tensor/parameter.ts";
import type { TextModel } from "../text-model.ts";

/** One rate for all, or rates by selector, of which the first that names a parameter holds. */
export type Rates = number | Readonly<Record<string, number>>;

/** A rate, and what is trained at it. */
export interface Rate {
  /** What names the parameters: a selector, "adapters", "head", "body" or "all". */
  readonly of: string;
  readonly lr: number;
  readonly paths: readonly string[];
}

/**
 * Rates of adapters, which are new and small; of what a head adds to an encoder, which is often new; and of the encoder,
 * which knows much already.
 */
const defaults = { adapters: 2e-4, head: 1e-3, body: 2e-5 };

/** Whether a path is of an adapter of low rank. */
export const isAdapter = (path: string): boolean => path.split(".").some((name) => name.startsWith("lora_"));

/**
 * The rate of each parameter that is trained.
 *
 * Throws `SelectorError` for a selector that names no parameter of the model, `ArgumentError` for a rate that is no number
 * from 0 on, and where something is trained that has none.
 */
export function ratesOf(
  model: TextModel,
  trained: ReadonlyMap<string, Parameter>,
  given: Rates | undefined,
): Rate[] {
  const left = new Set(trained.keys());
  const take = (of: string, lr: number, names: (path: string) => boolean): Rate => {
    if (typeof lr !== "number" || !(lr >= 0 && lr < Infinity))
      throw new ArgumentError(
        `fit: the lr of ${JSON.stringify(of)} is ${lr}; it must be a number of at least 0`,
      );
    const paths = [...left].filter(names);
    for (const path of paths) left.delete(path);
    return { of, lr, paths };
  };
  const rates: Rate[] = [];
  if (given === undefined) {
    const head = new Set(model.headPaths());
    rates.push(take("adapters", defaults.adapters, isAdapter));
    rates.push(take("head", defaults.head, (path) => head.has(path)));
    rates.push(take("body", defaults.body, () => true));
  } else if (typeof given === "object" && given !== null) {
    for (const [selector, lr] of Object.entries(given)) {
      const named = select(model as Module, selector);
      rates.push(take(selector, lr, (path) => named.has(path)));
    }
  } else rates.push(take("all", given, () => true));
  if (left.size > 0)
    throw new ArgumentError(
      `fit: ${[...left].slice(0, 3).join(", ")} ${left.size === 1 ? "is" : "are"} trained, and lr has no rate for ${left.size === 1 ? "it" : "them"}; add "**" as the last of lr`,
    );
  return rates.filter(({ paths }) => paths.length > 0);
}

/**
 * Groups of an optimizer for such rates, each with the number of its rate; what it is at a step is a schedule's to say, as a
 * factor of 1. Matrices decay; biases and what norms scale by do not, as in transformers.
 */
export function groupsOfRates(
  rates: readonly Rate[],
  trained: ReadonlyMap<string, Parameter>,
  weightDecay: number,
) {
  return rates.flatMap(({ paths }, rate) =>
    [true, false].flatMap((decays) => {
      const params = paths
        .map((path) => [path, trained.get(path)!] as const)
        .filter(([, parameter]) => parameter.shape.length > 1 === decays);
      return params.length === 0 ? [] : [{ params, rate, lr: 1, weightDecay: decays ? weightDecay : 0 }];
    }),
  );
}

/**
 * The factor of rates after so many steps: it rises from 0 in a line, and falls to 0 at the last of `steps`.
 * Source: `get_linear_schedule_with_warmup` of transformers.
 */
export function warmUpAndDecay(steps: number, warmup: number): (step: number) => number {
  const rising = Math.ceil(warmup * steps);
  return (step) =>
    step < rising ? step / Math.max(1, rising) : Math.max(0, (steps - step) / Math.max(1, steps - rising));
}
