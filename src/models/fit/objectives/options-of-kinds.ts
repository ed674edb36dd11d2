import { ArgumentError } from "../../../base/errors.ts";
import type { ModelKind } from "./kind-of.ts";

/** Options of `fit` and `predict` that mean something to some kinds of models only, and what those are like. */
const meantFor: Readonly<Record<string, { readonly kinds: readonly ModelKind[]; readonly text: string }>> = {
  ...ofKinds(["threshold"], ["classes"], "gives a text several labels"),
  ...ofKinds(["allScores"], ["class", "classes"], "gives a text one label or several"),
  ...ofKinds(["classWeights", "labelSmoothing"], ["class", "tags"], "chooses one of several labels"),
  ...ofKinds(["aggregationStrategy"], ["tags"], "gives words labels"),
  ...ofKinds(["top"], ["masked"], "finds tokens that are masked"),
  ...ofKinds(["embeddings"], ["embeddings"], "makes embeddings"),
};

function ofKinds(names: readonly string[], kinds: readonly ModelKind[], text: string) {
  return Object.fromEntries(names.map((name) => [name, { kinds, text }]));
}

/** Throws `ArgumentError` for an option that would do nothing, as the model is of another kind than it is meant for. */
export function refuseOptionsOfOtherKinds(op: string, kind: ModelKind, given: object): void {
  for (const [name, value] of Object.entries(given)) {
    const meant = Object.hasOwn(meantFor, name) ? meantFor[name]! : null;
    // What asks for nothing goes with every model.
    if (meant === null || meant.kinds.includes(kind) || value === undefined || value === false || value === 0)
      continue;
    throw new ArgumentError(
      `${op}: ${name} is ${JSON.stringify(value)}, and is for a model that ${meant.text}, which this one does not; leave it out`,
    );
  }
}
