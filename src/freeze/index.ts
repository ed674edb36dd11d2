export type { ModulePath, ParameterPath, PathGlob } from "../nn/paths.ts";
export {
  changedParameters,
  compareParameters,
  type ParameterBits,
  type ParameterChange,
  type Snapshot,
  snapshot,
} from "./changed.ts";
export type { Checked, SelectorOf } from "./checked.ts";
export { type FreezeScope, freeze, frozenBy, unfreeze } from "./freeze.ts";
export { type ModulePolicy, ModuleSelector, module } from "./module-selector.ts";
export { type ParameterCount, parameterCount } from "./parameter-count.ts";
export { type SelectedPart, select, selectParts } from "./select.ts";
export {
  type BooleanMask,
  elements,
  RegionSelector,
  rows,
  type Selector,
  type SelectorPredicate,
  selectorText,
} from "./selector.ts";
