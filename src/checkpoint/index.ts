export { openTensors, type SourceEntry, type TensorSource } from "./open.ts";
export { parseSafetensors, readSafetensors } from "./read.ts";
export { parseHeader, type SafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";
export { serializeSafetensors, type WriteOptions, writeSafetensors } from "./write.ts";
