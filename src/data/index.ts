export { type CsvOptions, parseCsv } from "./csv.ts";
export { DataLoader, type DataLoaderOptions } from "./data-loader.ts";
export { type Batch, type Dataset, Subset, TensorDataset } from "./dataset.ts";
export { type Mix, type Mixed, type MixOptions, mix, type Sources } from "./mix.ts";
export { permutation } from "./shuffle.ts";
export { randomSplit } from "./split.ts";
