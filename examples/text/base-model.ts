import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { manualSeed } from "thaw";
import { BertModel } from "thaw/models";

const minilm = fileURLToPath(new URL("../data/minilm", import.meta.url));

/** MiniLM's folder, which `npx tsx scripts/minilm.ts` makes; where it is not there, a tiny model that knows nothing. */
export async function baseModel(): Promise<string> {
  if (existsSync(join(minilm, "model.safetensors"))) return minilm;
  console.log(
    "A tiny model that has learned nothing stands in for MiniLM (npx tsx scripts/minilm.ts gets that).",
  );
  return tinyModel(mkdtempSync(join(tmpdir(), "thaw-example-")));
}

/** A folder with a small BERT of random weights, whose tokens are the words that are usual in descriptions of packages. */
export async function tinyModel(folder: string): Promise<string> {
  const text = readFileSync(new URL("../data/packages.jsonl", import.meta.url), "utf8");
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().match(/[a-z]+|[^\sa-z]/g)!)
    counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts].filter(([, count]) => count > 2).map(([word]) => word);
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const vocab = Object.fromEntries([...special, ...words].map((token, id) => [token, id]));
  const tokenizer = {
    version: "1.0",
    added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, lowercase: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [specialToken("[CLS]", 0), sequence("A", 0), specialToken("[SEP]", 0)],
      pair: [
        specialToken("[CLS]", 0),
        sequence("A", 0),
        specialToken("[SEP]", 0),
        sequence("B", 1),
        specialToken("[SEP]", 1),
      ],
      special_tokens: {
        "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
        "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
      },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", vocab },
  };
  manualSeed(1);
  const model = new BertModel({
    model_type: "bert",
    vocab_size: Object.keys(vocab).length,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 64,
    max_position_embeddings: 64,
  });
  mkdirSync(folder, { recursive: true });
  await model.savePretrained(folder);
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({
      pad_token: "[PAD]",
      unk_token: "[UNK]",
      cls_token: "[CLS]",
      sep_token: "[SEP]",
      mask_token: "[MASK]",
    }),
  );
  return folder;
}

function specialToken(id: string, type_id: number) {
  return { SpecialToken: { id, type_id } };
}

function sequence(id: string, type_id: number) {
  return { Sequence: { id, type_id } };
}
