import { grouped, table } from "../base/table.ts";
import { type Cause, causes, type Shares } from "./audit-graph.ts";
import type { AuditedMovement } from "./audit-movement.ts";

/** What an audit has seen of one parameter. */
export interface ParameterAudit extends AuditedMovement {
  readonly path: string;
  readonly elements: number;
  /** How often the optimizer has updated it, or some of it. */
  readonly updates: number;
  /** How far each cause has moved it: lengths (L2) of its shares, summed over steps. */
  readonly shares: Shares;
  /** The same of elements that had never had a gradient by then. */
  readonly unreachedShares: Shares;
  /** Updates while its `requiresGrad` was false, and what they did. */
  readonly unaskedUpdates: number;
  readonly unaskedShares: Shares;
  /** Whether nothing should have moved it: frozen, out of autograd, or not trained by the step. */
  readonly frozen: boolean;
  /** Who has written to it beside the optimizer. */
  readonly writers: readonly string[];
}

/** A movement that was not meant. */
export interface Leak {
  readonly path: string;
  /** What of it: all, or rows or elements as text. */
  readonly what: string;
  readonly cause: string;
  readonly remedy: string;
}

/** What has moved in an audit, why, and what of it is a leak; as text, a table. */
export class AuditReport {
  readonly parameters: readonly ParameterAudit[];
  readonly leaks: readonly Leak[];

  constructor(parameters: readonly ParameterAudit[]) {
    this.parameters = parameters;
    this.leaks = parameters.flatMap(leaksOf);
  }

  toString(): string {
    const shown = causes.filter((cause) => this.parameters.some(({ shares }) => shares[cause] !== 0));
    const head = ["parameter", "updates", "moved", "elements moved", ...shown.map((cause) => `by ${cause}`)];
    const rows = this.parameters.map(({ path, updates, moved, elementsMoved, elements, shares }) => [
      path,
      grouped(updates),
      amount(moved),
      `${grouped(elementsMoved)} of ${grouped(elements)}`,
      ...shown.map((cause) => amount(shares[cause])),
    ]);
    const leaks = this.leaks.map(
      ({ path, what, cause, remedy }) => `LEAK  ${path}${what}: ${cause}. ${remedy}`,
    );
    return [...table(head, rows), "", ...(leaks.length === 0 ? ["No leaks."] : leaks)].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

const amount = (length: number): string => (length === 0 ? "0" : length.toPrecision(4));

function leaksOf(audited: ParameterAudit): Leak[] {
  if (audited.elementsMoved === 0) return [];
  return [...unasked(audited), ...unreached(audited), ...written(audited)];
}

/** Updates of what autograd was told to leave alone. */
function unasked({ path, unaskedUpdates, unaskedShares: shares }: ParameterAudit): Leak[] {
  if (unaskedUpdates === 0 || by(shares) === "") return [];
  const gradient = shares.gradient > 0 ? "stale" : "zeros";
  return [
    {
      path,
      what: "",
      cause: `the optimizer moved it ${times(unaskedUpdates)} while its requiresGrad was false, by ${by(shares)}: its gradient was ${gradient}, not null`,
      remedy: "Set grad to null, call zeroGrad(), or freeze() the parameter.",
    },
  ];
}

/** Updates of what had gradients of zeros alone. */
function unreached({
  path,
  elements,
  unreachedMoved,
  unreachedRows,
  unreachedShares,
}: ParameterAudit): Leak[] {
  if (unreachedMoved === 0) return [];
  const all = unreachedMoved === elements;
  return [
    {
      path,
      what: all ? "" : (unreachedRows ?? ` (${grouped(unreachedMoved)} elements)`),
      cause: `moved by ${by(unreachedShares)}, with a gradient of zeros in every update`,
      remedy: all
        ? "A gradient of zeros is not an absent one: leave it out of trains, freeze() it, or set grad to null."
        : `A masked gradient freezes nothing: train only the others${unreachedRows === null ? ", with elements()" : `, or freeze(module, "${path}${unreachedRows}")`}.`,
    },
  ];
}

/** Writes to what is frozen. */
function written({ path, frozen, shares, writers }: ParameterAudit): Leak[] {
  if (!frozen || shares["direct write"] + shares.averaging === 0) return [];
  const cause = `it is frozen, and was written to by ${writers.join(" and ")}`;
  return [{ path, what: "", cause, remedy: "Take the write out, or train it." }];
}

/** The causes of shares, the largest first. */
const by = (shares: Shares): string =>
  (Object.entries(shares) as [Cause, number][])
    .filter(([, length]) => length > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([cause]) => cause)
    .join(" and ");

const times = (n: number): string => (n === 1 ? "once" : `${grouped(n)} times`);
