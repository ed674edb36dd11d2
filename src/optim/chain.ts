import type { Shape } from "../base/shape.ts";
import type { AnyTransform, Node } from "./transform.ts";

/** What a chain works on: one part of a parameter, its gradient, and its state as they are before a step. */
export interface ChainInput {
  readonly value: Node;
  readonly gradient: Node;
  /** A state tensor's value, by name. */
  readonly state: (name: string) => Node;
  /** A number of a transform's, repeated to the shape, or to another. */
  readonly scalar: (transform: AnyTransform<never>, name: string, shape?: Shape) => Node;
  /** Whether an option is on. */
  readonly on: (option: string) => boolean;
  /** The value of a structural option. */
  readonly choice: (option: string) => unknown;
}

/** What a chain makes of it. */
export interface ChainOutput {
  readonly value: Node;
  readonly state: ReadonlyMap<string, Node>;
  /** The value after each transform that changed it, by the transform's name. */
  readonly values: readonly (readonly [transform: string, value: Node])[];
}

/** Passes a value and its gradient through the transforms of a chain. */
export function runChain<O>(chain: readonly AnyTransform<O>[], input: ChainInput): ChainOutput {
  const next = new Map<string, Node>();
  const values: (readonly [string, Node])[] = [];
  let { value, gradient } = input;
  const state: Record<string, Node> = {};
  for (const transform of chain) {
    for (const name of transform.tensors?.(input.on, value.shape) ?? []) state[name] = input.state(name);
    const change = transform.update({
      value,
      gradient,
      state,
      on: input.on,
      choice: (option) => input.choice(option) as never,
      scalar: (name, shape) => input.scalar(transform as AnyTransform<never>, name, shape),
    });
    if (change.value !== undefined) {
      value = change.value;
      values.push([transform.name, value]);
    }
    if (change.gradient !== undefined) gradient = change.gradient;
    for (const [name, tensor] of Object.entries(change.state ?? {}))
      if (tensor !== undefined) next.set(name, tensor);
  }
  return { value, state: next, values };
}
