import type { Tensor } from "../../tensor/tensor.ts";
import { type BertDefaults, type BertSizes, bertSizes } from "../bert/bert-config.ts";
import { BertEmbeddings } from "../bert/bert-embeddings.ts";
import { BertModel, type PoolerOptions } from "../bert/bert-model.ts";
import type { Config } from "../config.ts";

/** What a config of RoBERTa means that does not say. */
export const robertaDefaults: BertDefaults = {
  vocabulary: 50265,
  positions: 512,
  types: 2,
  padding: 1,
  eps: 1e-12,
};

/** RoBERTa's padding, which its positions are counted from: a config must have it. */
const paddingOf = ({ padding }: BertSizes): number => padding ?? robertaDefaults.padding;

/** As BERT's, but positions are counted from behind the padding's number, and padding has that number. */
class RobertaEmbeddings extends BertEmbeddings {
  private readonly padding: number;

  constructor(sizes: BertSizes) {
    super(sizes, { positionPadding: paddingOf(sizes) });
    this.padding = paddingOf(sizes);
  }

  protected override positionsOf(inputIds: Tensor): Tensor {
    return positionsBehind(this.padding, inputIds);
  }
}

/** Positions of tokens, counted from behind the number of padding, which padding itself has. */
export function positionsBehind(padding: number, inputIds: Tensor): Tensor {
  const isToken = inputIds.ne(padding).to("i32");
  return isToken.cumsum(1).to("i32").mul(isToken).add(padding);
}

/**
 * RoBERTa: BERT whose positions begin behind the number of padding. XLM-RoBERTa and CamemBERT are such.
 *
 * Takes a config with `"model_type": "roberta"` (or "xlm-roberta", "camembert"), and gives what `BertModel` gives. Without
 * `positionIds`, tokens with the number `pad_token_id` count as padding.
 * Throws as `BertModel`.
 * Source: Liu et al., "RoBERTa", 2019; `transformers.RobertaModel`.
 */
export class RobertaModel extends BertModel {
  override readonly architecture: string = "RobertaModel";

  constructor(config: Config, options: PoolerOptions = {}, sizes = bertSizes(config, robertaDefaults)) {
    super(config, options, sizes);
  }

  protected override embeddingsOf(sizes: BertSizes): BertEmbeddings {
    return new RobertaEmbeddings(sizes);
  }

  override get maxLength(): number {
    const { numEmbeddings, paddingIdx } = this.embeddings.position_embeddings;
    return numEmbeddings - paddingIdx! - 1;
  }
}
