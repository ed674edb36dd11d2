import { ArgumentError, StateDictError } from "../base/errors.ts";
import { Tensor } from "../tensor/tensor.ts";

/** What is in a state dict, by name; throws `ArgumentError` for what is none. */
export function stateDictEntries(what: string, dict: unknown): [string, unknown][] {
  if (typeof dict !== "object" || dict === null || Array.isArray(dict) || dict instanceof Tensor)
    throw new ArgumentError(
      `${what}: the state dict is ${dict === null ? "null" : Array.isArray(dict) ? "an array" : dict instanceof Tensor ? "a tensor" : typeof dict}; give tensors by path, in a Map or an object, as stateDict() does`,
    );
  return dict instanceof Map ? [...dict] : Object.entries(dict);
}

/** As `stateDictEntries`; throws `StateDictError` too, for what is no tensor. */
export function stateDictTensors(what: string, dict: unknown): Map<string, Tensor> {
  const entries = stateDictEntries(what, dict);
  const wrong = entries.find(([, value]) => !(value instanceof Tensor));
  if (wrong !== undefined)
    throw new StateDictError(
      `${what}: "${wrong[0]}" is ${wrong[1] === null ? "null" : typeof wrong[1]}, no tensor; nothing was loaded. ` +
        "Give the state dict itself, if it is part of something larger, and make tensors of numbers with tensor(…).",
    );
  return new Map(entries as [string, Tensor][]);
}
