import type { Module } from "../nn/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Adapter } from "./model-adapters.ts";

/** Modules that PEFT has trained whole for a kind of task, whatever a config names. */
const impliedBy: Readonly<Record<string, readonly string[]>> = {
  SEQ_CLS: ["classifier", "score"],
  TOKEN_CLS: ["classifier", "score"],
};

/** Whether PEFT takes a path for one of `modules_to_save`: it compares letters, so that "classifier" is "pre_classifier" too. */
export const isNamedByPeft = (path: string, names: readonly string[]): boolean =>
  names.some((name) => path.endsWith(name));

/** What is written of the base, as it is what PEFT asks for, or is found nowhere else. */
interface WholeModules {
  /** Modules that the adapter itself does not train whole. */
  readonly modules: readonly string[];
  /** Their parameters and buffers, by path. */
  readonly members: readonly (readonly [string, Tensor])[];
  /** What PEFT calls the task; null where it could not open the adapter if that was said. */
  readonly taskType: string | null;
}

/**
 * The modules that a file of an adapter has whole beside those that are trained: of those that PEFT takes for
 * `modules_to_save` it must, and of `drawn` ones nobody else has the values. Source: `_set_trainable` of PEFT.
 */
export function wholeForPeft(
  model: Module,
  { config, layers, modules }: Adapter,
  taskType: string | null,
  drawn: readonly string[],
): WholeModules {
  const all = model.namedModules({ removeDuplicate: false });
  const isIn = (path: string, outer: readonly string[]): boolean =>
    outer.some((one) => path === one || path.startsWith(`${one}.`));
  const named = (names: readonly string[]): string[] =>
    all
      .map(([path]) => path)
      .filter((path) => path !== "" && !path.includes(".lora_") && isNamedByPeft(path, names));
  const implied = named(taskType === null ? [] : (impliedBy[taskType] ?? []));
  // PEFT refuses low-rank parts in what is trained whole.
  const canImply = !layers.some(({ path }) => isIn(path, implied));
  const wanted = [...named(config.modulesToSave), ...(canImply ? implied : []), ...drawn].filter(
    (path) => !isIn(path, modules) && !layers.some((layer) => isIn(layer.path, [path])),
  );
  const outermost = [...new Set(wanted)].filter(
    (path) =>
      !isIn(
        path,
        wanted.filter((other) => other !== path),
      ),
  );
  const members = all
    .filter(([path]) => outermost.includes(path))
    .flatMap(([path, module]) =>
      [...module.namedParameters(), ...module.namedBuffers()].map(([inner, member]): [string, Tensor] => [
        `${path}.${inner}`,
        member,
      ]),
    );
  return { modules: outermost, members, taskType: canImply ? taskType : null };
}
