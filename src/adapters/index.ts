export type { Adapted } from "./adapted.ts";
export { type LoadAdapterOptions, loadAdapter } from "./load-adapter.ts";
export { lora } from "./lora.ts";
export type { EmbeddingParts, LinearParts, LoraMagnitude } from "./lora-layer.ts";
export type { BiasChoice, LoraOptions, TargetModules } from "./lora-options.ts";
export { mergeAdapters, mergeAndUnload, unmergeAdapters } from "./merge.ts";
export { type SaveAdapterOptions, saveAdapter } from "./save-adapter.ts";
export {
  type AdapterList,
  deleteAdapter,
  disableAdapters,
  listAdapters,
  setAdapter,
} from "./switch-adapters.ts";
