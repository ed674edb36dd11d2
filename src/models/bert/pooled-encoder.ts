import type { Module } from "../../nn/module.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkInputs, keysOf } from "../attention-mask.ts";
import type { EncoderInputs, EncoderOutput } from "../encoder-inputs.ts";
import { PretrainedModel } from "../pretrained-model.ts";
import { embeddingStage, type Stage, stagesUnder } from "../stages.ts";
import type { BertPooler } from "./bert-layer.ts";

/** Layers that hidden states go through; `keys`: which keys queries attend to, of [batch, 1, 1, length]. */
interface Layers extends Module {
  forward(x: Tensor, keys: Tensor | null): Tensor;
  stages(): Stage[];
}

/** Embeddings, layers, and a pooler of the first token: what BERT's encoder and its relatives are. */
export abstract class PooledEncoder extends PretrainedModel<EncoderOutput> {
  abstract embeddings: Module & { forward(inputs: EncoderInputs): Tensor };
  abstract encoder: Layers;
  abstract pooler: BertPooler | null;

  forward(inputs: EncoderInputs): EncoderOutput {
    checkInputs(this.architecture, inputs, this.maxLength);
    return this.outputOf(this.encoder.forward(this.embeddings.forward(inputs), keysOf(inputs)));
  }

  stages(): Stage[] {
    const embeddings = embeddingStage("embeddings", (inputs) => this.embeddings.forward(inputs));
    return [embeddings, ...stagesUnder("encoder", this.encoder.stages())];
  }

  outputOf(lastHiddenState: Tensor): EncoderOutput {
    return { lastHiddenState, poolerOutput: this.pooler?.forward(lastHiddenState) ?? null };
  }
}
