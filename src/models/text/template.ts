import { ConfigError } from "../../base/errors.ts";

/** A place in what is made of a text or of two: a token that is always there, or all of a text. */
export type Piece =
  | { readonly ids: readonly number[]; readonly type: number }
  | { readonly text: 0 | 1; readonly type: number };

/** What stands around one text, and around two. */
export interface Templates {
  readonly single: readonly Piece[];
  readonly pair: readonly Piece[];
}

type Json = Readonly<Record<string, unknown>>;

const bare: Templates = {
  single: [{ text: 0, type: 0 }],
  pair: [
    { text: 0, type: 0 },
    { text: 1, type: 0 },
  ],
};

/** What the `post_processor` of a tokenizer.json puts around texts; throws `ConfigError` for a kind that is not there. */
export function templatesOf(processor: unknown, name: string): Templates {
  if (processor === null || processor === undefined) return bare;
  const { type, ...settings } = processor as Json;
  const special = (key: string): Piece => {
    const [, id] = (settings[key] ?? []) as [string, number];
    if (!Number.isInteger(id)) throw new ConfigError(`${name}: the post_processor has no token ${key}`);
    return { ids: [id], type: 0 };
  };
  if (type === "TemplateProcessing") return ofTemplate(settings, name);
  // These two have no settings for what stands where.
  if (type === "BertProcessing") {
    const [cls, sep] = [special("cls"), special("sep")];
    const second = { ...sep, type: 1 };
    return {
      single: [cls, { text: 0, type: 0 }, sep],
      pair: [cls, { text: 0, type: 0 }, sep, { text: 1, type: 1 }, second],
    };
  }
  if (type === "RobertaProcessing") {
    const [cls, sep] = [special("cls"), special("sep")];
    return {
      single: [cls, { text: 0, type: 0 }, sep],
      pair: [cls, { text: 0, type: 0 }, sep, sep, { text: 1, type: 0 }, sep],
    };
  }
  // Of what only moves offsets, and of several, one may put tokens around.
  if (type === "ByteLevel") return bare;
  if (type === "Sequence") {
    const all = ((settings.processors ?? []) as unknown[]).map((one) => templatesOf(one, name));
    return all.find((one) => one !== bare) ?? bare;
  }
  throw new ConfigError(
    `${name}: the post_processor is ${JSON.stringify(type)}; there is TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence`,
  );
}

function ofTemplate(settings: Json, name: string): Templates {
  const specials = (settings.special_tokens ?? {}) as Record<string, { ids?: number[] }>;
  const piece = (item: unknown): Piece => {
    const { Sequence: text, SpecialToken: token } = item as Record<string, { id: string; type_id: number }>;
    if (text !== undefined) return { text: text.id === "B" ? 1 : 0, type: text.type_id };
    const ids = Object.hasOwn(specials, token?.id ?? "") ? specials[token!.id]!.ids : undefined;
    if (ids === undefined)
      throw new ConfigError(
        `${name}: the post_processor names a token ${JSON.stringify(token?.id)} that it has no number of`,
      );
    return { ids, type: token!.type_id };
  };
  const of = (key: string) => ((settings[key] ?? []) as unknown[]).map(piece);
  return { single: of("single"), pair: of("pair") };
}

/** How many tokens a template adds to texts. */
export const addedBy = (template: readonly Piece[]): number =>
  template.reduce((sum, piece) => sum + ("ids" in piece ? piece.ids.length : 0), 0);
