export { type LoadOptions, type LoadResult, load, loadFromBytes } from "./load.ts";
export { openTensors, type SourceEntry, type TensorSource } from "./open.ts";
export { parseSafetensors, readSafetensors } from "./read.ts";
export { parseHeader, type SafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";
export { type SavedOptimizer, type SaveOptions, save, saveToBytes } from "./save.ts";
export { serializeSafetensors, type WriteOptions, writeSafetensors } from "./write.ts";
