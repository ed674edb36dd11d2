import { StateDictError } from "../base/errors.ts";
import type { StateContext, Stateful } from "../base/stateful.ts";

/** The state of a step, by what it is of. */
export type StepStateDict = Readonly<Record<string, unknown>>;

/** Several things as one that takes part in a checkpoint, each under its name. */
export function stateOf(
  parts: Readonly<Record<string, Required<Stateful>>>,
): Required<Stateful<StepStateDict>> {
  const prepareLoad = (state: StepStateDict, context?: StateContext): (() => void) => {
    for (const name of Object.keys(parts))
      if (typeof state?.[name] !== "object" || state[name] === null)
        throw new StateDictError(
          `loadStateDict: this is no state of a trainStep: it has no ${name}; nothing was loaded.`,
        );
    const puts = Object.entries(parts).map(([name, part]) => part.prepareLoad(state[name], context));
    return () => {
      for (const put of puts) put();
    };
  };
  return {
    stateDict: () =>
      Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.stateDict()])),
    loadStateDict: (state, context) => prepareLoad(state, context)(),
    prepareLoad,
  };
}

/** How far a recorded function has come, by which it is recorded again now and then, as a thing that is resumed. */
export function recordingState(recorded: { calls: number }): Required<Stateful<{ calls: number }>> {
  const prepareLoad = ({ calls }: { calls: number }): (() => void) => {
    if (!Number.isSafeInteger(calls) || calls < 0)
      throw new StateDictError(
        `loadStateDict: the calls of a step are ${String(calls)}, not a whole number of at least 0; nothing was loaded.`,
      );
    return () => {
      recorded.calls = calls;
    };
  };
  return {
    stateDict: () => ({ calls: recorded.calls }),
    loadStateDict: (state) => prepareLoad(state)(),
    prepareLoad,
  };
}
