import type { PretrainedModel } from "../pretrained-model.ts";

/** Ends of names that old files have, by what they are called now. */
const oldEnds: Readonly<Record<string, string>> = {
  "LayerNorm.gamma": "LayerNorm.weight",
  "LayerNorm.beta": "LayerNorm.bias",
};

const renewed = (name: string): string => {
  const end = Object.keys(oldEnds).find((old) => name === old || name.endsWith(`.${old}`));
  return end === undefined ? name : name.slice(0, -end.length) + oldEnds[end];
};

/** What the encoder is called under a head, in files of a model's kind: "bert.". */
const prefixOf = ({ baseName, architecture }: PretrainedModel): string =>
  `${baseName ?? architecture.replace(/Model$/, "").toLowerCase()}.`;

/**
 * What each name of a file is called in a model. A file of the encoder alone has no prefix, which the model has under its
 * head; a file of a model with a head has one, which the encoder alone has not. Old names become new ones.
 */
export function pathsOf(model: PretrainedModel, names: Iterable<string>): (name: string) => string {
  const prefix = prefixOf(model);
  const all = [...names].map(renewed);
  const isPrefixed = all.some((name) => name.startsWith(prefix));
  if (model.baseName === null)
    return (name) => (renewed(name).startsWith(prefix) ? renewed(name).slice(prefix.length) : renewed(name));
  if (isPrefixed) return renewed;
  const own = new Set(model.namedParameters({ removeDuplicate: false }).map(([path]) => path));
  return (name) => (own.has(renewed(name)) ? renewed(name) : prefix + renewed(name));
}
