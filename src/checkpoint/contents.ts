import { ArgumentError, CheckpointError } from "../base/errors.ts";
import type { Stateful } from "../base/stateful.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import { Module } from "../nn/module.ts";
import { type Round, roundsUnderWay } from "../optim/rounds.ts";
import { haveStandIns } from "../optim/stand-ins.ts";
import { lastLeftOut } from "../optim/updates.ts";
import { fromArray } from "../tensor/create.ts";
import { getRandomState, type RandomState } from "../tensor/draws.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Stored } from "../tensor/stored.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { arithmetic } from "./arithmetic.ts";
import { inBase } from "./base.ts";
import { recordName, reservedIn } from "./header-sum.ts";
import { HeldWeights } from "./held-weights.ts";
import { type CheckpointRecord, encodeRecord, type FrozenRecord, type StateRecord } from "./record.ts";
import type { SaveOptions } from "./save-options.ts";
import { type Unsealed, unsealed } from "./seal.ts";
import { inOrder } from "./write.ts";

/** Options of saving and loading that do not take part in a checkpoint. */
const options = [
  "module",
  "optimizer",
  "metadata",
  "base",
  "strict",
  "frozen",
  "random",
  "checksums",
  "prefix",
  "rename",
  "skipMismatched",
  "dtype",
  "signal",
  "group",
];

/** What takes part beside the module and the optimizer, by name; throws `ArgumentError` for what cannot. */
export function takingPart(
  what: string,
  given: Readonly<Record<string, unknown>>,
): [string, Stateful | Module][] {
  return Object.entries(given).flatMap(([name, thing]) => {
    if (thing === undefined) return [];
    const takesPart = thing instanceof Module || isStateful(thing);
    if (options.includes(name)) {
      if (!takesPart || name === "module" || name === "optimizer") return [];
      throw new ArgumentError(`${what}: ${name} is the name of an option; give what takes part another name`);
    }
    if (takesPart) return [[name, thing]];
    throw new ArgumentError(
      `${what}: ${name} cannot be part of a checkpoint: it has no stateDict() and loadStateDict(), as optimizers, EMA, schedules, steps and loaders have`,
    );
  });
}

/** Throws `ArgumentError` where the module, or the optimizer, is something else. */
export function refuseOthers(what: string, given: unknown): void {
  const { module, optimizer } = (given ?? {}) as Readonly<Record<string, unknown>>;
  if (!(module instanceof Module))
    throw new ArgumentError(`${what}: module is ${nameOf(module)}; give the module: { module: net }`);
  if (optimizer !== undefined && !isStateful(optimizer))
    throw new ArgumentError(
      `${what}: optimizer is ${nameOf(optimizer)}, which has no stateDict() and loadStateDict()`,
    );
}

const nameOf = (thing: unknown): string =>
  typeof thing === "object" && thing !== null
    ? `a ${thing.constructor?.name ?? "object"}`
    : typeof thing === "function"
      ? "a function"
      : String(thing);

const isStateful = (thing: unknown): thing is Stateful =>
  ((typeof thing === "object" && thing !== null) || typeof thing === "function") &&
  typeof (thing as Partial<Stateful>).stateDict === "function" &&
  typeof (thing as Partial<Stateful>).loadStateDict === "function";

/** Whether training could go on from what takes part: not from weights alone. */
export const goesOn = (
  optimizer: unknown,
  others: readonly (readonly [string, Stateful | Module])[],
): boolean => optimizer !== undefined || others.some(([, thing]) => !(thing instanceof Module));

/** What a thing calls itself, where that tells its kind; a function's name does not. */
export const kindOf = (thing: object): string | undefined =>
  typeof thing === "function" || typeof (thing as { name?: unknown }).name !== "string"
    ? undefined
    : (thing as { name: string }).name;

/** The parameters of all modules that take part. */
export function trainedBy(
  module: Module,
  others: readonly (readonly [string, Stateful | Module])[],
): ReadonlySet<Parameter> {
  const modules = [module, ...others.map(([, thing]) => thing).filter((thing) => thing instanceof Module)];
  return new Set(modules.flatMap((one) => one.parameters()));
}

/**
 * What a file at `path` (null: bytes) will hold; with the random state of each rank, where there are several. It is to be
 * written, or copied, before anything else is computed.
 */
export function contentsOf(
  what: string,
  given: SaveOptions,
  path: string | null,
  randomOf?: readonly RandomState[],
): Unsealed {
  refuseWhileRecording(what);
  refuseOthers(what, given);
  const { module, optimizer, base, metadata = {}, signal } = given;
  signal?.throwIfAborted();
  const reserved = reservedIn(metadata);
  if (reserved !== undefined)
    throw new ArgumentError(`${what}: the metadata "${reserved}" is the checkpoint's own; use another name`);
  const others = takingPart(what, given);
  const parameters = module.namedParameters();
  const buffers = module.namedBuffers().filter(([, buffer]) => buffer.persistent);
  const trained = trainedBy(module, others);
  const resumes = goesOn(optimizer, others);
  if (resumes) refuseStandIns(what, trained);
  const rounds = roundsUnderWay(trained).map((round) => ({ round, saved: round.timesSaved }));
  const states = statesOf(module, others, rounds);
  if (resumes) refuseUnsaved(what, rounds);
  const tensors = new Map<string, Tensor>([...parameters, ...buffers]);
  const outgoing = base === undefined ? [] : inOrder(tensors);
  const referred =
    base === undefined
      ? undefined
      : base instanceof HeldWeights
        ? base.referred(outgoing)
        : inBase(what, outgoing, base, path);
  const record: CheckpointRecord = {
    format: 1,
    arithmetic: arithmetic(),
    random: { ...getRandomState() },
    ...(randomOf && { randomOf }),
    frozen: Object.fromEntries(
      [...parameters, ...buffers].flatMap(([path, p]) =>
        p.frozen || p.frozenRegion ? [[path, frozenOf(p)]] : [],
      ),
    ),
    ...leftOutOf(parameters),
    ...(optimizer && { optimizer: { name: optimizer.name, ...optimizer.stateDict({ module, live: true }) } }),
    ...(others.length > 0 && { states }),
    ...(referred && { base: referred }),
  };
  const text = encodeRecord(record, tensors);
  for (const name of Object.keys(referred?.tensors ?? {})) tensors.delete(name);
  return unsealed(inOrder(tensors), { ...metadata, [recordName]: text });
}

interface SavedRound {
  readonly round: Round;
  /** How often it had been saved before. */
  readonly saved: number;
}

function statesOf(
  module: Module,
  others: readonly (readonly [string, Stateful | Module])[],
  rounds: readonly SavedRound[],
): Record<string, StateRecord> {
  return Object.fromEntries(
    others.map(([name, thing]) => {
      const before = rounds.map(({ round }) => round.timesSaved);
      const kind = thing instanceof Module ? undefined : kindOf(thing);
      const dict: unknown =
        thing instanceof Module ? thing.stateDict() : thing.stateDict({ module, live: true });
      const underWay = rounds.some(({ round }, i) => round.timesSaved > before[i]!);
      const state = dict instanceof Map ? Object.fromEntries(dict) : dict;
      return [name, { ...(kind !== undefined && { kind }), ...(underWay && { underWay }), state }];
    }),
  );
}

/** Throws where averages stand in for the weights: training would go on from them. */
function refuseStandIns(what: string, parameters: ReadonlySet<Parameter>): void {
  if (haveStandIns(parameters))
    throw new CheckpointError(
      `${what}: the averages of an EMA are in place of the weights, and training would go on from them. Save after use(), with { ema } to have both; or save the module alone, which then holds the averages.`,
    );
}

/** Throws where sums of gradients are not among what is saved: an update would be made of half of its calls. */
function refuseUnsaved(what: string, rounds: readonly SavedRound[]): void {
  const lost = rounds.find(({ round, saved }) => round.timesSaved === saved)?.round;
  if (lost !== undefined)
    throw new CheckpointError(
      `${what}: a trainStep has made ${lost.position} of the ${lost.calls} calls of an update, whose gradients would be lost. Save it too, as { step }, or make the update with what there is before: await step.flush().`,
    );
}

/** What the last step has left out of the module's parameters, if any step trains them. */
function leftOutOf(parameters: readonly (readonly [string, Parameter])[]): {
  leftOut?: Record<string, string>;
} {
  const all = lastLeftOut();
  if (!parameters.some(([, p]) => all.has(p))) return {};
  return {
    leftOut: Object.fromEntries(
      parameters.flatMap(([path, p]) => {
        const region = all.get(p) ?? (all.has(p) ? null : "none");
        return region === "none" ? [] : [[path, region?.text ?? ""]];
      }),
    ),
  };
}

function frozenOf({ frozenRegion }: Stored): FrozenRecord {
  if (frozenRegion === null) return "all";
  const { dim, text, indices } = frozenRegion;
  return { dim, text, indices: fromArray(indices, [indices.length]) };
}
