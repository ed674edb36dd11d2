import { Tokenizer } from "@huggingface/tokenizers";
import { ConfigError } from "../../base/errors.ts";
import type { TokenizerFiles } from "./added-tokens.ts";
import { type Templates, templatesOf } from "./template.ts";
import { TokenOffsets } from "./token-offsets.ts";

/** What is made of a tokenizer's files. */
export interface TokenizerParts {
  readonly files: TokenizerFiles;
  readonly tokenizer: Tokenizer;
  readonly templates: Templates;
  readonly specialIds: ReadonlySet<number>;
  /** Whether each ideograph is a word. */
  readonly ideographsApart: boolean;
  /** Whether words need a space before them to be the tokens that they are in the midst of a text. */
  readonly spaceBefore: boolean;
  /** Whether texts are made lower case. */
  readonly lowercases: boolean;
  /** What finds where tokens stand, made when it is first asked for. */
  readonly offsets: () => TokenOffsets;
}

/** Throws `ConfigError` for files that are broken or of a kind that is not there. */
export function partsOf(files: TokenizerFiles, name: string): TokenizerParts {
  const { post_processor, pre_tokenizer, normalizer, added_tokens } = files.json as Record<string, unknown>;
  const added = (added_tokens ?? []) as readonly { id: number; special?: boolean }[];
  const templates = templatesOf(post_processor, name);
  let offsets: TokenOffsets | null = null;
  try {
    return {
      files,
      tokenizer: new Tokenizer(files.json, files.config),
      templates,
      specialIds: new Set(added.filter(({ special }) => special).map(({ id }) => id)),
      ideographsApart: setsIdeographsApart(normalizer),
      spaceBefore: isByteLevelWithoutSpace(pre_tokenizer),
      lowercases: makesLowercase(normalizer),
      offsets: () => {
        offsets ??= new TokenOffsets(files.json, name);
        return offsets;
      },
    };
  } catch (cause) {
    throw new ConfigError(`${name} cannot be used: ${(cause as Error).message}`, { cause });
  }
}

/** Whether a normalizer is BERT's, or has it, and puts spaces around ideographs. */
function setsIdeographsApart(normalizer: unknown): boolean {
  const { type, handle_chinese_chars: apart, normalizers } = (normalizer ?? {}) as Record<string, unknown>;
  if (type === "Sequence") return ((normalizers ?? []) as unknown[]).some(setsIdeographsApart);
  return type === "BertNormalizer" && apart !== false;
}

/**
 * Whether a normalizer makes texts lower case, character by character: JavaScript has another small sigma at the end of a
 * word, which `@huggingface/tokenizers` gives.
 */
function makesLowercase(normalizer: unknown): boolean {
  const { type, lowercase, normalizers } = (normalizer ?? {}) as Record<string, unknown>;
  if (type === "Sequence") return ((normalizers ?? []) as unknown[]).some(makesLowercase);
  return type === "Lowercase" || (type === "BertNormalizer" && lowercase === true);
}

/** Whether a tokenizer of bytes knows words by the space before them, and puts none before a text. */
function isByteLevelWithoutSpace(pre: unknown): boolean {
  const { type, add_prefix_space: adds, pretokenizers } = (pre ?? {}) as Record<string, unknown>;
  if (type === "Sequence") return ((pretokenizers ?? []) as unknown[]).some(isByteLevelWithoutSpace);
  return type === "ByteLevel" && adds === false;
}
