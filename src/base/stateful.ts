import { refuseOptions } from "./options.ts";

/**
 * What takes part in a checkpoint: its state as data, and the way back. Data are plain objects, arrays, strings,
 * numbers, booleans, null, and tensors. Optimizers, averages, schedules, steps and loaders are such things; whatever
 * else a training run counts can be one.
 */
// biome-ignore lint/suspicious/noExplicitAny: what the state is, is between the two methods.
export interface Stateful<S = any> {
  /** The state, as copies, which nothing that happens afterwards changes; unless the context says that none are needed. */
  stateDict(context?: StateContext): S;
  /** Puts a state in place; throws, and changes nothing, where it does not fit. */
  loadStateDict(state: S, context?: StateContext): void;
  /**
   * Checks a state, throwing where it does not fit, and gives what puts it in place, which cannot fail. With it,
   * several things can be loaded all or none; what lacks it is put back by `loadStateDict` where another does not fit.
   */
  prepareLoad?(state: S, context?: StateContext): () => void;
}

/** What a checkpoint tells those that take part in it. */
export interface StateContext {
  /** The module whose paths name parameters. */
  // biome-ignore lint/suspicious/noExplicitAny: the class of modules is further up.
  readonly module?: any;
  /** What is called here what the state calls so, where a load was given a `prefix` or `rename`. */
  readonly path?: (name: string) => string;
  /**
   * Whether whoever asks for a state reads all of it before anything else is computed, so that tensors may be what the state
   * is held in, and not copies.
   */
  readonly live?: boolean;
}

/** What a state has by the paths of a module, by those that it has here, where it is that of the checkpoint. */
export function translated<T>(
  byPath: Readonly<Record<string, T>>,
  module: unknown,
  context: StateContext,
): Record<string, T> {
  const { path } = context;
  if (path === undefined || context.module !== module) return { ...byPath };
  return Object.fromEntries(Object.entries(byPath).map(([name, value]) => [path(name), value]));
}

/** Throws `ArgumentError` for what is no part of a context: an option of `stateDict` that there is not, say. */
export const refuseContext = (what: string, context: StateContext): void =>
  refuseOptions(what, context, { module: null, path: null, live: null });
