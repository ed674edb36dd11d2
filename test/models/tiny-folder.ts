import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { manualSeed } from "thaw";
import { BertModel } from "thaw/models";
import { savePretrained } from "../../src/models/folder/save-pretrained.ts";

/** A folder with a small BERT that has learned nothing, and a tokenizer. */
export function tinyFolder(top: string): string {
  const at = join(top, "base");
  mkdirSync(at, { recursive: true });
  const fixture = fileURLToPath(new URL("fixtures/tokenizer-wordpiece.json.gz", import.meta.url));
  const { tokenizer, config } = JSON.parse(gunzipSync(readFileSync(fixture)).toString());
  writeFileSync(join(at, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(at, "tokenizer_config.json"), JSON.stringify({ ...config, mask_token: "[MASK]" }));
  manualSeed(7);
  const sizes = { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32 };
  savePretrained(
    new BertModel({
      model_type: "bert",
      vocab_size: 300,
      max_position_embeddings: 24,
      initializer_range: 0.3,
      ...sizes,
    }),
    at,
  );
  return at;
}

/** A file of texts of two kinds, by the words that are in them. */
export function tinyTexts(top: string): string {
  const at = join(top, "texts.jsonl");
  const [animals, software] = [
    "dog fox quick lazy brown".split(" "),
    "text editor plugins library sound".split(" "),
  ];
  const lines = Array.from({ length: 60 }, (_, i) => {
    const words = i % 2 === 0 ? animals : software;
    const text = Array.from({ length: 3 + (i % 4) }, (_, j) => words[(i * 7 + j * 3) % 5]!).join(" ");
    return JSON.stringify({ text: `${text} ${i}`, label: i % 2 === 0 ? "animals" : "software" });
  });
  writeFileSync(at, lines.join("\n"));
  return at;
}
