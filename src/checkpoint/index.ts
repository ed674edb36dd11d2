export type { Stateful } from "../base/stateful.ts";
export type { Base } from "./base.ts";
export {
  CheckpointFolder,
  type CheckpointFolderOptions,
  type FolderLoadResult,
} from "./checkpoint-folder.ts";
export { type LoadOptions, type LoadResult, load, loadFromBytes } from "./load.ts";
export type { Meet, SavingGroup } from "./meet.ts";
export { openTensors, type SourceEntry, type TensorSource } from "./open.ts";
export { download } from "./places/download.ts";
export { indexedDb } from "./places/indexed-db.ts";
export { opfs } from "./places/opfs.ts";
export type { Place, Progress, Transfer } from "./places/place.ts";
export type { PlaceLike } from "./places/place-of.ts";
export { atUrl, type UrlOptions } from "./places/url.ts";
export { parseSafetensors, readSafetensors } from "./read.ts";
export { parseHeader, type SafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";
export { save, saveAsync, saveToBytes } from "./save.ts";
export type { SavedOptimizer, SaveOptions, TakingPart } from "./save-options.ts";
export { loadFrom, readFrom, saveTo } from "./transfer.ts";
export { serializeSafetensors, type WriteOptions, writeSafetensors } from "./write.ts";
