import { NonFiniteError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { isPlainObject } from "../engine/call-key.ts";
import { numbersOf } from "../engine/finite.ts";
import { type NonFinite, NonFiniteSearch } from "../engine/non-finite.ts";
import { type NameOf, nonFiniteText } from "../engine/non-finite-text.ts";
import { nonFiniteWrites } from "../engine/non-finite-writes.ts";
import { computeAlone, notCarriedOut } from "../engine/realize.ts";
import type { Storage } from "../engine/storage.ts";
import { storedLeaf } from "../engine/trace.ts";
import { topological } from "../ir/node.ts";
import { noteOrigins, notesOrigins, originOf } from "../ir/origin.ts";
import type { Module } from "../nn/module.ts";
import { inScopes } from "../nn/scopes.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A call in which something is not finite. */
interface FailedCall {
  readonly module: Module;
  readonly parameters: readonly Parameter[];
  /** The arguments of each loss. */
  readonly calls: readonly (readonly unknown[])[];
  /** Does everything that the call does, in terms of graphs; gives its losses. */
  readonly body: () => readonly Tensor[];
}

/**
 * Does a failed call once more, slowly and without any effect, to find out where its values stop being finite; gives
 * an error that says so, or the one that was thrown where nothing is found.
 */
export function diagnose(error: NonFiniteError, call: FailedCall): NonFiniteError {
  const noted = notesOrigins();
  noteOrigins(true);
  try {
    return notCarriedOut((trace) => {
      const losses = inScopes(call.module, call.body).map(({ node }) => node);
      const writes = [...trace.writes.values()];
      const search = new NonFiniteSearch(numbersOf(trace), computeAlone);
      const inLoss = search.cause(losses);
      const found = inLoss ?? search.cause([...losses, ...writes]);
      if (found === null) return error;
      const what = inLoss !== null ? `The loss is ${search.valueOf(losses)}` : stageOf(found, losses);
      return new NonFiniteError(
        `trainStep: ${what}; nothing was updated. ${nonFiniteText(found, namesIn(call))}`,
        {
          cause: error,
        },
      );
    });
  } catch {
    // What the loss does once more, it may refuse to.
    return error;
  } finally {
    noteOrigins(noted);
  }
}

/** What is not finite, where the loss is. */
function stageOf({ node }: NonFinite, losses: readonly Tensor["node"][]): string {
  const forward = topological(losses).includes(node) || (originOf(node)?.gradientOf ?? null) !== null;
  return `The loss is finite, but ${forward ? "a gradient" : "an update"} is not`;
}

/** Names what is stored: arguments by their place, parameters and buffers by their path. */
function namesIn({ module, parameters, calls }: FailedCall): NameOf {
  const names = new Map<Storage, string>();
  for (const p of parameters) names.set(p.resident.storage, `the parameter ${p.label || shapeText(p.shape)}`);
  for (const [path, p] of module.namedParameters()) names.set(p.resident.storage, `the parameter ${path}`);
  for (const [path, b] of module.namedBuffers()) names.set(b.resident.storage, `the buffer ${path}`);
  const name = (value: unknown, text: string): void => {
    if (value instanceof Tensor) {
      const leaf = storedLeaf(value.node);
      const storage = leaf?.attrs.source as Storage | undefined;
      if (storage !== undefined && !names.has(storage)) names.set(storage, text);
    } else if (Array.isArray(value)) for (const [i, item] of value.entries()) name(item, `${text}[${i}]`);
    else if (isPlainObject(value))
      for (const [key, item] of Object.entries(value)) name(item, `${text}.${key}`);
  };
  for (const [c, args] of calls.entries())
    for (const [i, arg] of args.entries())
      name(arg, `argument ${i + 1}${calls.length > 1 ? ` of call ${c + 1}` : ""}`);
  return (storage) => names.get(storage) ?? null;
}

/** What a call would write a NaN or an infinity to; nothing where its loss refuses to be computed once more. */
export function namesOfWrites(body: () => void): string {
  try {
    return nonFiniteWrites(body).join(", ");
  } catch {
    return "";
  }
}
