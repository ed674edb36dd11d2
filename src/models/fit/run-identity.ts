import { adaptersOf } from "../../adapters/model-adapters.ts";
import { GroupError } from "../../base/errors.ts";
import { Hash, hashBytes } from "../../base/hash.ts";
import type { Group } from "../../distributed/group.ts";
import { bytesIn } from "../../nn/bits.ts";
import type { Parameter } from "../../tensor/parameter.ts";
import type { TextDataset } from "../text-data/text-dataset.ts";
import type { TextModel } from "../text-model.ts";
import type { FitOptions, FitSettings } from "./fit-options.ts";
import { isAdapter } from "./rates.ts";

/** What a training was begun with, by what that is called in errors. */
export type RunIdentity = Readonly<Record<string, string>>;

/** What must be the same for a training to go on: the model, what it learns of, and all that its bits depend on. */
export function identityOf(model: TextModel, settings: FitSettings, options: FitOptions): RunIdentity {
  const { saveEvery: _, ...kept } = settings;
  const { maxLength = null, lr = null, classWeights = null, embeddings = null, group } = options;
  // What a function decides is in the checkpoints.
  const trains = typeof kept.trains === "function" ? "a function" : kept.trains;
  // Where it is kept, and how much of it, changes no bit.
  const keepPrefix = kept.keepPrefix !== false;
  const given = { ...kept, trains, keepPrefix, maxLength, lr, classWeights, embeddings };
  const { labels = [] } = model as { labels?: readonly string[] };
  const { tokenizer } = model;
  return {
    "the model": model.architecture,
    "the model's labels": JSON.stringify(labels),
    "the model's config": hashed(model.config),
    "the weights that the training began with": hashOfWeights(model),
    "the tokenizer": tokenizer === null ? "none" : hashed([tokenizer.files, tokenizer.settings.maxLength]),
    train: hashOfTexts(options.train),
    eval: options.eval === undefined ? "none" : hashOfTexts(options.eval),
    ...adaptersIn(model),
    ranks: String(group?.size ?? 1),
    ...Object.fromEntries(
      Object.entries(given).map(([name, value]) => [`the option ${name}`, JSON.stringify(value)]),
    ),
  };
}

/** How the adapters of a model are made, where it has some. */
function adaptersIn(model: TextModel): RunIdentity {
  const adapters = Object.entries(adaptersOf(model)?.byName ?? {});
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, one: unknown) => (one instanceof RegExp ? String(one) : one));
  return Object.fromEntries(adapters.map(([name, { config }]) => [`the adapter ${name}`, text(config)]));
}

/** What differs between what a training was begun with and what there is now, a line each. */
export const differences = (then: RunIdentity, now: RunIdentity): string[] =>
  Object.keys({ ...then, ...now })
    .filter((name) => then[name] !== now[name])
    .map((name) => `${name}: ${then[name] ?? "none"} then, ${now[name] ?? "none"} now`);

/** Throws `GroupError` on all ranks where they do not train the same model on the same texts by the same options. */
export async function requireSame(group: Group, identity: RunIdentity): Promise<void> {
  const [first, ...others] = await group.gather(identity);
  for (const [i, other] of others.entries()) {
    const names = Object.keys({ ...first, ...other }).filter((name) => first![name] !== other[name]);
    if (names.length === 0) continue;
    const lines = names.map(
      (name) => `  ${name}: ${first![name] ?? "none"} on rank 0, ${other[name] ?? "none"} on rank ${i + 1}`,
    );
    throw new GroupError(
      `fit: ranks do not train the same; nothing was changed. Give all of them one model, the same texts and the same options.\n${lines.join("\n")}`,
    );
  }
}

const bytesOfText = (text: string): Uint8Array => new TextEncoder().encode(text);

const hashed = (value: unknown): string => hashBytes(bytesOfText(JSON.stringify(value)));

function hashOfTexts({ examples, kind, labels }: TextDataset): string {
  const hash = new Hash().add(bytesOfText(JSON.stringify([kind, labels])));
  for (const example of examples) hash.add(bytesOfText(JSON.stringify(example)));
  return `${examples.length} texts, ${hash.text}`;
}

/** All weights that a model has from its folder: not those that are drawn anew each time that it is made. */
export function weightsOfFolder(model: TextModel): [string, Parameter][] {
  const head = new Set(model.headPaths());
  return model.namedParameters().filter(([path]) => !head.has(path) && !isAdapter(path));
}

function hashOfWeights(model: TextModel): string {
  const hash = new Hash();
  for (const [path, parameter] of weightsOfFolder(model)) {
    hash.add(bytesOfText(path));
    for (const bytes of bytesIn(parameter, "fit")) hash.add(bytes);
  }
  return hash.text;
}
