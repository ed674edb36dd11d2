import { bitCount } from "../base/bit-count.ts";
import { type DType, readElement, type TypedArray } from "../base/dtype.ts";
import { StateDictError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { type StateContext, type Stateful, translated } from "../base/stateful.ts";
import { table } from "../base/table.ts";
import { stateEpoch } from "../engine/cell.ts";
import { commit } from "../engine/realize.ts";
import { bytesOf } from "../engine/storage.ts";
import { currentTrace, hostNode } from "../engine/trace.ts";
import { bitsOf as elementsOf } from "../nn/bits.ts";
import type { Module } from "../nn/module.ts";
import type { Regions } from "../optim/accumulate.ts";
import { pick } from "../optim/state.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import { frozenOf } from "./frozen.ts";

/** How far a parameter is from where it was. */
export interface Movement {
  /** The length of the way: the L2 norm of the difference. */
  readonly norm: number;
  /** The largest difference of an element. */
  readonly max: number;
}

/** What a step has done to one parameter since it was made. */
export interface ParameterReport {
  readonly path: string;
  /** The tasks that trained it: the strings among the arguments of the calls that did. */
  readonly trainedBy: readonly string[];
  readonly timesStepped: number;
  /** Null where no copy of the start was kept. */
  readonly moved: Movement | null;
  /** Bits that differ from when it was last frozen, over all times that it was; null where no copies were kept. */
  readonly bitsChangedWhileFrozen: number | null;
}

/** Elements up to which copies of a network are kept unasked. */
const copiedUnasked = 131_072;

interface Record {
  timesStepped: number;
  readonly trainedBy: Set<string>;
  /** Its bits when the step was made. */
  readonly start: TypedArray | null;
  /** What of it is frozen (null: all of it). */
  frozen: Region | null | "none";
  /** Its elements when it was last frozen, and the bytes under them. */
  held: { readonly elements: TypedArray; readonly bytes: Uint8Array } | null;
  bitsChanged: number;
}

/** What a parameter has gone through, as data. */
export interface ParameterReportState {
  steps: number;
  tasks: string[];
  bitsChanged: number;
  /** Its value at the start; `"same"`: the one that it has now. Nothing where no copy was kept. */
  start?: Tensor | "same";
}

/** What a step reports of each parameter, by path. */
export type ReportStateDict = Readonly<{ [path: string]: ParameterReportState }>;

/** Keeps count of what each parameter of a module goes through. */
export class Tracker implements Stateful<ReportStateDict> {
  readonly #module: Module;
  readonly #copies: boolean;
  readonly #records = new Map<Parameter, Record>();
  #last: Regions | null = null;
  #epoch = -1;
  /** What of each parameter is frozen in calls that train these, as long as nothing else changes. */
  #frozen = new WeakMap<Regions, readonly (Region | null | "none")[]>();

  /** `copies` says whether values are compared, at the price of a copy of each parameter; without it, if they are few. */
  constructor(module: Module, copies: boolean | undefined) {
    this.#module = module;
    const parameters = module.parameters();
    this.#copies = copies ?? parameters.reduce((sum, p) => sum + p.numel, 0) <= copiedUnasked;
    for (const p of parameters) this.#recordOf(p);
  }

  #recordOf(p: Parameter): Record {
    let record = this.#records.get(p);
    if (record === undefined) {
      record = {
        timesStepped: 0,
        trainedBy: new Set(),
        start: this.#copies ? bitsOf(p) : null,
        frozen: "none",
        held: null,
        bitsChanged: 0,
      };
      this.#records.set(p, record);
    }
    return record;
  }

  /** Says what the next call trains, before it does: what was frozen until now is compared, what is from now on kept. */
  beforeCall(trained: Regions): void {
    if (!this.#copies || (trained === this.#last && stateEpoch() === this.#epoch)) return;
    if (stateEpoch() !== this.#epoch) this.#frozen = new WeakMap();
    this.#last = trained;
    this.#epoch = stateEpoch();
    let all = this.#frozen.get(trained);
    if (all === undefined || all.length !== this.#records.size)
      this.#frozen.set(trained, (all = [...this.#records.keys()].map((p) => frozenOf(p, trained))));
    let at = 0;
    for (const [p, record] of this.#records) {
      const frozen = all[at++]!;
      if (record.frozen === frozen) continue;
      record.bitsChanged += changedWhileFrozen(p, record);
      record.frozen = frozen;
      if (frozen !== "none") hold(p, record);
    }
  }

  /** Counts what a call has updated. */
  afterCall(stepped: Iterable<Parameter>, task: string): void {
    for (const p of stepped) {
      const record = this.#recordOf(p);
      record.timesStepped++;
      if (task !== "") record.trainedBy.add(task);
    }
  }

  /** What has been counted, and what is compared with, by path. */
  stateDict(): ReportStateDict {
    return Object.fromEntries(
      this.#module.namedParameters().map(([path, p]) => {
        const record = this.#recordOf(p);
        const { timesStepped, trainedBy, start } = record;
        const counted = {
          steps: timesStepped,
          tasks: [...trainedBy],
          bitsChanged: record.bitsChanged + changedWhileFrozen(p, record),
        };
        if (start === null) return [path, counted];
        const same = differingBits(bytesOf(start), bytesOf(bitsOf(p))) === 0;
        return [path, { ...counted, start: same ? "same" : new Tensor(hostNode(start, p.dtype, p.shape)) }];
      }),
    );
  }

  loadStateDict(state: ReportStateDict): void {
    this.prepareLoad(state)();
  }

  /** Checks what `loadStateDict` takes; gives what puts it in place, which cannot fail. */
  prepareLoad(given: ReportStateDict, context: StateContext = {}): () => void {
    const state: ReportStateDict = translated(given, this.#module, context);
    const parameters = this.#module.namedParameters();
    const known = new Map(parameters);
    for (const [path, { steps, tasks, bitsChanged, start }] of Object.entries(state)) {
      const p = known.get(path);
      const fits = (value: Tensor): boolean =>
        p !== undefined && value.dtype === p.dtype && sameShape(value.shape, p.shape);
      if (
        p === undefined ||
        ![steps, bitsChanged].every((n) => Number.isSafeInteger(n) && n >= 0) ||
        !tasks.every((task) => typeof task === "string") ||
        !(start === undefined || start === "same" || (start instanceof Tensor && fits(start)))
      )
        throw new StateDictError(
          `loadStateDict: what was reported of ${path} does not fit ${p === undefined ? "the module, which has it not" : `${p.dtype}${shapeText(p.shape)}`}; nothing was loaded.`,
        );
    }
    const starts = new Map(
      Object.entries(state).flatMap(([path, { start }]) =>
        start instanceof Tensor ? [[path, elementsOf(start, "loadStateDict()")] as const] : [],
      ),
    );
    return () => {
      this.#last = null;
      for (const [path, p] of parameters) {
        const of = state[path];
        const start = of?.start === "same" || of === undefined ? bitsOf(p) : (starts.get(path) ?? null);
        this.#records.set(p, {
          timesStepped: of?.steps ?? 0,
          trainedBy: new Set(of?.tasks),
          start: this.#copies ? start : null,
          frozen: "none",
          held: null,
          bitsChanged: of?.bitsChanged ?? 0,
        });
      }
    };
  }

  /** All parameters of the module, in its order. */
  report(): Report {
    return new Report(
      this.#module.namedParameters().map(([path, p]) => {
        const record = this.#recordOf(p);
        const { start, bitsChanged, timesStepped, trainedBy } = record;
        return {
          path,
          trainedBy: [...trainedBy],
          timesStepped,
          moved: start === null ? null : movement(p.dtype, start, bitsOf(p)),
          bitsChangedWhileFrozen: this.#copies ? bitsChanged + changedWhileFrozen(p, record) : null,
        };
      }),
    );
  }
}

/** What a step has done to each parameter; as text, a table. */
export class Report {
  readonly parameters: readonly ParameterReport[];

  constructor(parameters: readonly ParameterReport[]) {
    this.parameters = parameters;
  }

  toString(): string {
    const head = ["parameter", "trained by", "steps", "moved", "largest change", "bits changed while frozen"];
    const rows = this.parameters.map(({ path, trainedBy, timesStepped, moved, bitsChangedWhileFrozen }) => [
      path,
      trainedBy.join(", ") || (timesStepped > 0 ? "every step" : "–"),
      String(timesStepped),
      moved === null ? "–" : moved.norm.toPrecision(4),
      moved === null ? "–" : moved.max.toPrecision(4),
      bitsChangedWhileFrozen === null ? "–" : String(bitsChangedWhileFrozen),
    ]);
    return table(head, rows).join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** A copy of a parameter's elements as they are stored. */
function bitsOf(p: Parameter): TypedArray {
  carryOut(p);
  return p.resident.storage.read();
}

/** Keeps a parameter's elements, where they were kept before if they were. */
function hold(p: Parameter, record: Record): void {
  if (record.held === null) {
    const elements = bitsOf(p);
    record.held = { elements, bytes: bytesOf(elements) };
    return;
  }
  carryOut(p);
  p.resident.storage.readBytes(record.held.bytes);
}

/** Carries out the step that is waiting to write a parameter, if one is. */
function carryOut({ resident }: Parameter): void {
  if (currentTrace().writes.has(resident)) commit();
}

/** How many bits of what is frozen differ from when that began. */
function changedWhileFrozen(p: Parameter, { frozen, held }: Record): number {
  if (frozen === "none" || held === null) return 0;
  carryOut(p);
  if (frozen !== null)
    return differingBits(
      bytesOf(pick(held.elements, frozen.flat())),
      bytesOf(pick(bitsOf(p), frozen.flat())),
    );
  return differingBits(held.bytes, p.resident.storage.bytes());
}

/** `after` null: zeros. */
function differingBits(before: Uint8Array, after: Uint8Array | null): number {
  let bits = 0;
  for (let i = 0; i < before.length; i++) {
    const differing = before[i]! ^ (after === null ? 0 : after[i]!);
    if (differing !== 0) bits += bitCount(differing);
  }
  return bits;
}

function movement(dtype: DType, before: TypedArray, after: TypedArray): Movement {
  let [squares, max] = [0, 0];
  for (let i = 0; i < after.length; i++) {
    const change = readElement(dtype, after, i) - readElement(dtype, before, i);
    squares += change * change;
    max = Math.max(max, Math.abs(change));
  }
  return { norm: Math.sqrt(squares), max };
}
