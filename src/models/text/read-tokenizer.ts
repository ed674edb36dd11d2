import { ConfigError } from "../../base/errors.ts";
import type { Folder } from "../../checkpoint/places/folder.ts";
import { folderAt } from "../../checkpoint/places/folder-at.ts";
import type { Config } from "../config.ts";
import { readConfig } from "../folder/read-config.ts";
import { TextTokenizer } from "./text-tokenizer.ts";
import type { Side } from "./truncate.ts";

/** Lengths from here on are what files say where they know none. */
const unknown = 1e6;

/**
 * The tokenizer of a folder of Hugging Face's.
 *
 * Takes the path or the URL of a folder with `tokenizer.json`, and `tokenizer_config.json` where there is one. Texts are made lower
 * case first where sentence-transformers is to (`do_lower_case`). Where files disagree
 * about the length of a text, the shortest of what `sentence_bert_config.json` and `tokenizer_config.json` say and of the
 * model's positions, `max_position_embeddings` of `config.json`, holds: what lies beyond one of them was not trained, or
 * cannot be computed. The length that `tokenizer.json` truncates to is one that somebody once asked for, and does not count.
 * Throws `ConfigError` for a folder without a tokenizer, and for one that is broken or of a kind that is not there.
 * Source: `AutoTokenizer` of transformers.
 */
export const readTokenizer = (folder: string | URL): Promise<TextTokenizer> => tokenizerIn(folderAt(folder));

/** As `readTokenizer`, of a folder that is open. */
export async function tokenizerIn(folder: Folder): Promise<TextTokenizer> {
  const name = folder.nameOf("tokenizer.json");
  const has = await folder.which(["tokenizer.json", "tokenizer_config.json", "config.json"]);
  if (!has.has("tokenizer.json"))
    throw new ConfigError(
      `${folder.lacks("tokenizer.json")}; save the tokenizer anew with a transformers that writes it`,
    );
  const optional = async (file: string): Promise<Config> => (has.has(file) ? readConfig(folder, file) : {});
  const [json, config, model] = await Promise.all([
    readConfig(folder, "tokenizer.json"),
    optional("tokenizer_config.json"),
    optional("config.json"),
  ]);
  const sentence = await sentenceConfig(folder, model.model_type);
  const lengths = [sentence.max_seq_length, config.model_max_length, positionsOf(model)].filter(
    (n): n is number => Number.isInteger(n) && (n as number) > 0 && (n as number) < unknown,
  );
  const side = (key: string): Side => (config[key] === "left" ? "left" : "right");
  return new TextTokenizer(sentence.do_lower_case === true ? lowered(json) : json, config, {
    name,
    maxLength: lengths.length === 0 ? 512 : Math.min(...lengths),
    truncationSide: side("truncation_side"),
    paddingSide: side("padding_side"),
  });
}

/** What a folder says for sentence-transformers; old versions put the kind of model into the name of the file. */
async function sentenceConfig(folder: Folder, kind: unknown): Promise<Config> {
  const kinds = typeof kind === "string" && /^[\w-]+$/.test(kind) ? ["bert", kind] : ["bert"];
  const [file] = await folder.which([...new Set(kinds)].map((one) => `sentence_${one}_config.json`));
  return file === undefined ? {} : readConfig(folder, file);
}

/** A tokenizer that makes texts lower case first. */
const lowered = (json: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  ...json,
  normalizer: {
    type: "Sequence",
    normalizers: [{ type: "Lowercase" }, json.normalizer].filter((one) => one !== null && one !== undefined),
  },
});

/** How many tokens a model has positions for: RoBERTa's and MPNet's begin behind the number of its padding. */
function positionsOf(config: Readonly<Record<string, unknown>>): unknown {
  const { max_position_embeddings: positions, model_type: type, pad_token_id: padding } = config;
  const isShifted =
    typeof type === "string" && ["roberta", "xlm-roberta", "camembert", "mpnet"].includes(type);
  return isShifted ? Number(positions) - Number(padding ?? 1) - 1 : positions;
}
