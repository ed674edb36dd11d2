export { type CsvOptions, parseCsv } from "./csv.ts";
export {
  type Collating,
  DataLoader,
  type DataLoaderOptions,
  type DataLoaderStateDict,
} from "./data-loader.ts";
export { type Batch, type Dataset, type Samples, Subset, TensorDataset } from "./dataset.ts";
export {
  type Mix,
  type Mixed,
  type MixedSourceState,
  type MixOptions,
  type MixStateDict,
  mix,
  type Sources,
} from "./mix.ts";
export {
  type PadOptions,
  type PadSequenceOptions,
  padSequence,
  padToMultiple,
  unpadSequence,
} from "./pad.ts";
export type { Ranks } from "./sharding.ts";
export { permutation } from "./shuffle.ts";
export { randomSplit } from "./split.ts";
