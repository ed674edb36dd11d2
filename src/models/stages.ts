import type { Tensor } from "../tensor/tensor.ts";
import { keysOf } from "./attention-mask.ts";
import type { EncoderInputs } from "./encoder-inputs.ts";

/** What all stages of a forward pass share. */
export interface Pass {
  /** What the model takes; null in a pass that begins above what takes it. */
  readonly inputs: EncoderInputs | null;
  /** Which keys queries attend to, of [batch, 1, 1, length]; null: to all. */
  readonly keys: Tensor | null;
}

/**
 * A part of a forward pass, of several that come one after the other: each needs of those below only what the last of them
 * gives, of [batch, length, size] or, of one token, of [batch, size]. What it gives for a text depends on that text alone.
 */
export interface Stage {
  /** Paths of the modules that it runs, without which it is a choice of tokens. */
  readonly paths: readonly string[];
  /** What it gives of what the stage below gives, which the first has no use for. */
  readonly forward: (x: Tensor, pass: Pass) => Tensor;
}

/** What makes the first hidden states of tokens, as the first stage. */
export const embeddingStage = (path: string, forward: (inputs: EncoderInputs) => Tensor): Stage => ({
  paths: [path],
  forward: (_, { inputs }) => forward(inputs!),
});

/** The first token of each text, of which alone some heads make their result. */
export const firstTokenStage: Stage = { paths: [], forward: (x) => x.select(1, 0) };

/** Stages of a model that is a part of another. */
export const stagesUnder = (path: string, stages: readonly Stage[]): Stage[] =>
  stages.map(({ paths, forward }) => ({ paths: paths.map((own) => `${path}.${own}`), forward }));

/** A model that can be cut between its stages. */
interface Staged<R> {
  stages(): readonly Stage[];
  outputOf(x: Tensor): R;
}

/** What the first few stages of a model give. */
export function belowCut(model: Staged<unknown>, cut: number, inputs: EncoderInputs): Tensor {
  const pass = { inputs, keys: keysOf(inputs) };
  const [first, ...others] = model.stages().slice(0, cut);
  return others.reduce((x, stage) => stage.forward(x, pass), first!.forward(inputs.inputIds, pass));
}

/** What a model gives, of what its first few stages have given. */
export function aboveCut<R>(model: Staged<R>, cut: number, below: Tensor, attentionMask: Tensor | null): R {
  const pass = { inputs: null, keys: keysOf({ attentionMask }) };
  const stages = model.stages().slice(cut);
  return model.outputOf(stages.reduce((x, stage) => stage.forward(x, pass), below));
}
