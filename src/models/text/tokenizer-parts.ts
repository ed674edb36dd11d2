import { Tokenizer } from "@huggingface/tokenizers";
import { ConfigError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
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
  refuseOtherIds(files.json as never, name);
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

/** What decides whether `@huggingface/tokenizers` gives Python's ids. */
interface TokenizerJson {
  readonly added_tokens?: readonly { readonly content: string; readonly single_word?: boolean }[];
  readonly pre_tokenizer?: unknown;
  readonly model?: {
    readonly type?: string;
    readonly unk_token?: string | null;
    readonly fuse_unk?: boolean;
    readonly byte_fallback?: boolean;
  };
}

/** Throws `ConfigError` for tokenizers of which `@huggingface/tokenizers` gives other ids than Python, and says nothing. */
function refuseOtherIds({ added_tokens, pre_tokenizer, model }: TokenizerJson, name: string): void {
  const word = added_tokens?.find(({ single_word: isWord }) => isWord);
  if (word !== undefined)
    throw new ConfigError(
      `${name} has the added token ${printable(JSON.stringify(word.content))} with single_word, which is found in the midst of words too, here; ` +
        "set single_word to false in tokenizer.json where texts have it as a word only",
    );
  const { type, unk_token, fuse_unk, byte_fallback } = model ?? {};
  // What is unknown becomes bytes first, if there are tokens for them, and is then known.
  const hasUnknown = type === "BPE" && (unk_token ?? null) !== null && byte_fallback !== true;
  if (hasUnknown && fuse_unk === true && (pre_tokenizer ?? null) !== null)
    throw new ConfigError(
      `${name} is a BPE with fuse_unk and a pre_tokenizer: unknown words beside each other are one token here, and one for each word in Python; ` +
        "with fuse_unk: false in tokenizer.json each unknown character is a token, in both",
    );
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
