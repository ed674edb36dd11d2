import { asFormer, isFormer } from "./parameter-names.ts";
import type { OptimizerStateDict } from "./saved-state.ts";

/** A state dict whose parameters are called as they are here. */
export function translateState(dict: OptimizerStateDict, path: (name: string) => string): OptimizerStateDict {
  const inFull = (name: string): string => translated(name, path);
  return {
    ...dict,
    state: Object.fromEntries(Object.entries(dict.state).map(([name, of]) => [inFull(name), of])),
    paramGroups: dict.paramGroups.map((group) => ({ ...group, params: group.params.map(inFull) })),
    ...(dict.tied && {
      tied: Object.fromEntries(Object.entries(dict.tied).map(([tied, name]) => [inFull(tied), inFull(name)])),
    }),
  };
}

/** A name of a parameter, or of a region of it, as it is here. */
function translated(name: string, path: (name: string) => string): string {
  if (isFormer(name)) return asFormer(translated(name.slice(asFormer("").length), path));
  const end = name.search(/[[(]/);
  return end < 0 ? path(name) : path(name.slice(0, end)) + name.slice(end);
}
