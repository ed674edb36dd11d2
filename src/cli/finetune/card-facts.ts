import type { Config } from "../../models/config.ts";
import type { FitResult } from "../../models/fit/fit-result.ts";
import type { OnnxPrecision } from "../../models/folder/save-onnx.ts";
import type { FinetuneOptions } from "./options.ts";
import type { Planned } from "./say-plan.ts";

/** A file that a card tells of. */
export interface CardFile {
  readonly name: string;
  readonly sha256: string;
}

/** What a model card tells. */
export interface CardFacts {
  /** The name of the folder, which is the model's. */
  readonly name: string;
  readonly base: { readonly folder: string; readonly config: Config; readonly weights: readonly CardFile[] };
  readonly data: CardFile;
  readonly eval: CardFile | null;
  readonly planned: Planned;
  readonly options: FinetuneOptions;
  readonly run: FitResult;
  /** The digest of what was not trained, before and after. */
  readonly frozen: { readonly before: string; readonly after: string; readonly tensors: number };
  readonly onnx: readonly OnnxPrecision[];
  readonly versions: Readonly<Record<string, string>>;
}
