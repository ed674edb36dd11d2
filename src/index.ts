// What most scripts need under plain names; modules, optimizers and data loading under `nn`, `optim` and `data`.
export { currentBackend } from "./backends/index.ts";
export * from "./base/errors.ts";
export {
  atUrl,
  CheckpointFolder,
  download,
  indexedDb,
  load,
  loadFrom,
  loadFromBytes,
  opfs,
  parseSafetensors,
  readFrom,
  readSafetensors,
  save,
  saveAsync,
  saveTo,
  saveToBytes,
  serializeSafetensors,
  writeSafetensors,
} from "./checkpoint/index.ts";
export * as data from "./data/index.ts";
export * as distributed from "./distributed/index.ts";
export {
  detectAnomaly,
  Profile,
  type ProfileOptions,
  type ProfileRow,
  profile,
  setThreads,
} from "./engine/index.ts";
export * from "./freeze/index.ts";
export * as nn from "./nn/index.ts";
export {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  crossEntropy,
  functionalCall,
  huberLoss,
  klDiv,
  l1Loss,
  mseLoss,
  nllLoss,
} from "./nn/index.ts";
export * as optim from "./optim/index.ts";
export * from "./tensor/index.ts";
export * from "./train/index.ts";
