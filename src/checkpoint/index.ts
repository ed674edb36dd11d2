export type { Stateful } from "../base/stateful.ts";
export type { Base } from "./base.ts";
export {
  CheckpointFolder,
  type CheckpointFolderOptions,
  type FolderLoadResult,
} from "./checkpoint-folder.ts";
export { type LoadOptions, type LoadResult, load, loadFromBytes } from "./load.ts";
export { openTensors, type SourceEntry, type TensorSource } from "./open.ts";
export { parseSafetensors, readSafetensors } from "./read.ts";
export { parseHeader, type SafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";
export { save, saveAsync, saveToBytes } from "./save.ts";
export type { SavedOptimizer, SaveOptions, TakingPart } from "./save-options.ts";
export { serializeSafetensors, type WriteOptions, writeSafetensors } from "./write.ts";
