import { manualSeed } from "thaw";
import { BertForSequenceClassification } from "thaw/models";

/** The sizes of MiniLM. */
const config = {
  architectures: ["BertForSequenceClassification"],
  model_type: "bert",
  hidden_size: 384,
  intermediate_size: 1536,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  vocab_size: 30522,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  num_labels: 10,
};

/** Writes a model of MiniLM's sizes with random weights, and no tokenizer; gives its folder. */
export async function drawnModel(folder: string): Promise<string> {
  manualSeed(1);
  await new BertForSequenceClassification(config).savePretrained(folder);
  return folder;
}
