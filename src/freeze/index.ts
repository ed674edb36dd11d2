export {
  changedParameters,
  compareParameters,
  type ParameterBits,
  type ParameterChange,
  type Snapshot,
  snapshot,
} from "./changed.ts";
export { type FreezeScope, freeze, unfreeze } from "./freeze.ts";
export type { Checked, ModulePath, ParameterPath, PathGlob, SelectorOf } from "./paths.ts";
export { type Selector, type SelectorPredicate, select, selectorText } from "./select.ts";
