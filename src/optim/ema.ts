import { isFloat } from "../base/dtype.ts";
import { ArgumentError, CaptureError, StateDictError } from "../base/errors.ts";
import { between, optionProblem, refuseNoOptions, refuseUnknownOptions } from "../base/options.ts";
import { printable } from "../base/printable.ts";
import { runThen } from "../base/run-then.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { refuseContext, type StateContext, translated } from "../base/stateful.ts";
import { Cell, structureEpoch } from "../engine/cell.ts";
import { commit } from "../engine/realize.ts";
import {
  currentTrace,
  hostEffect,
  hostNode,
  hostScalar,
  Resident,
  refuseWhileRecording,
  writingAs,
} from "../engine/trace.ts";
import { bitsOf } from "../nn/bits.ts";
import type { Module } from "../nn/module.ts";
import type { Buffer } from "../tensor/buffer.ts";
import { lerp, like } from "../tensor/operations/elementwise.ts";
import { computeDtype, widen } from "../tensor/operations/promote.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import { haveStandIns, noteStandIns } from "./stand-ins.ts";
import { copyOf, refuseOtherDtype, StateTensor } from "./state-tensor.ts";
import type { Node } from "./transform.ts";

/** Options of `EMA`. */
export interface EMAOptions {
  /** How much of the average stays at an update, from 0 to 1; 0.999. */
  decay?: number;
  /**
   * The average of what is frozen. "hold", the default: it stays as it is, bit for bit, and of a parameter that is
   * frozen in part only the rest is averaged. "track": it goes on towards the value, which then stands still.
   */
  frozen?: "hold" | "track";
  /**
   * Buffers, such as running statistics. "copy", the default: the average of one is its present value. "average": those
   * of a floating dtype are averaged too, unless the module that they are in is frozen and `frozen` is "hold"; others
   * are copied. "ignore": they have no average.
   */
  buffers?: "copy" | "average" | "ignore";
  /** Begin with a smaller decay: min(decay, (1 + n) / (10 + n)) at a parameter's update n, counted from 0. */
  warmup?: boolean;
}

/** Averages as data, by the paths of what they are of, and how many updates each has had. */
export interface EMAStateDict {
  averages: Record<string, Tensor>;
  updates: Record<string, number>;
}

/** A parameter that was stepped; with a region, only that part of it (null: all). */
export type SteppedParameter = Parameter | readonly [Parameter, Region | null];

/** The average of one parameter or buffer. */
interface Average<M extends Parameter | Buffer = Parameter | Buffer> {
  readonly member: M;
  readonly tensor: StateTensor;
  updates: number;
}

const defaults = { decay: 0.999, frozen: "hold", buffers: "copy", warmup: false } as const;
const choices = { frozen: ["hold", "track"], buffers: ["copy", "average", "ignore"], warmup: [true, false] };

/**
 * An exponential moving average of a module's parameters: average ← average + (1 − decay) · (value − average), from
 * their values when it is made. `update` it after each optimizer step; `use` runs a function with the averages in place
 * of the weights. What is added to the module later has no average, and is warned of.
 */
export class EMA {
  readonly module: Module;
  readonly frozen: "hold" | "track";
  readonly buffers: "copy" | "average" | "ignore";
  readonly warmup: boolean;
  /**
   * The averages: `ema.average.get(net.output.weight)`. As a parameter does, one reads as what it is now; `clone` it to
   * hold it. Of a storage dtype (bf16, f16) it is f32.
   */
  readonly average: ReadonlyMap<Parameter | Buffer, StateTensor>;
  readonly #parameters: readonly Average<Parameter>[];
  readonly #buffers: readonly Average<Buffer>[];
  #decay: number = defaults.decay;
  readonly #inUse = new Cell(false);
  /** When the module was last compared with the averages, and what was warned of. */
  #structuresSeen = structureEpoch();
  readonly #told = new WeakSet<Parameter | Buffer>();

  constructor(module: Module, options: EMAOptions = {}) {
    if (currentTrace().recording)
      throw new CaptureError("EMA: it cannot be made inside a captured function; make it outside");
    refuseNoOptions("EMA", options, Object.keys(defaults));
    refuseUnknownOptions("EMA", options, Object.keys(defaults));
    for (const [name, known] of Object.entries(choices)) {
      const given = options[name as keyof typeof choices];
      if (given !== undefined && !(known as unknown[]).includes(given))
        throw new ArgumentError(`EMA: ${name} is ${String(given)}; it is one of ${known.join(", ")}`);
    }
    this.module = module;
    this.frozen = options.frozen ?? defaults.frozen;
    this.buffers = options.buffers ?? defaults.buffers;
    this.warmup = options.warmup ?? defaults.warmup;
    this.decay = options.decay ?? defaults.decay;
    this.#parameters = module.parameters().map(startAverage);
    this.#buffers = this.buffers === "ignore" ? [] : module.buffers().map(startAverage);
    this.average = new Map(this.#all().map(({ member, tensor }) => [member, tensor]));
    commit();
  }

  #all(): Average[] {
    return [...this.#parameters, ...this.#buffers];
  }

  /** How much of the average stays at an update. It may be set at any time. */
  get decay(): number {
    return this.#decay;
  }
  set decay(value: number) {
    const problem = optionProblem("decay", value, between(0, 1));
    if (problem !== null) throw new ArgumentError(`EMA: ${problem}`);
    this.#decay = value;
  }

  /**
   * Lets the present values enter the averages, in program order, in captured functions too. With `frozen: "hold"` only
   * those of what was `stepped` (by default, everything) and is not frozen now.
   */
  update(stepped?: Iterable<SteppedParameter>): void {
    if (this.#inUse.value)
      throw new ArgumentError(
        "EMA.update: inside use() the averages are in place of the weights; update after it",
      );
    const named = stepped && [...stepped];
    this.#lookForOthers(named);
    for (const { member, tensor } of this.#all())
      refuseOtherDtype("EMA", member, tensor, computeDtype(member.dtype));
    const regions = this.frozen === "track" ? null : regionsOf(named);
    const updated: Average[] = [];
    const weights = new Map<unknown, Node>();
    const weightOf = (average: Average): Node => {
      const { dtype } = average.tensor;
      // One number for all of a dtype, where it is not each one's own.
      const key = this.warmup ? average : dtype;
      if (!weights.has(key))
        weights.set(
          key,
          hostScalar(() => 1 - this.#decayOf(average), dtype),
        );
      return weights.get(key)!;
    };
    const copy = ({ member, tensor }: Average): void => {
      tensor.resident.assign(like(member.resident.node, tensor.shape, tensor.dtype, "EMA"));
    };
    const enter = (average: Average, region: Region | null): void => {
      const { member, tensor } = average;
      if (!isFloat(tensor.dtype)) {
        copy(average);
        return;
      }
      updated.push(average);
      const part = (x: Node): Node => widen(region === null ? x : region.take(x));
      const before = tensor.resident.node;
      const next = lerp(part(before), part(member.resident.node), weightOf(average));
      tensor.resident.assign(region === null ? next : region.put(before, next));
    };
    writingAs("EMA", () => {
      for (const average of this.#parameters) {
        const { member } = average;
        if (regions !== null && !regions.all && !regions.of.has(member)) continue;
        const region = regions === null ? null : member.trainable(regions.of.get(member) ?? null);
        if (region !== "none") enter(average, region);
      }
      for (const average of this.#buffers) {
        if (this.buffers === "copy") copy(average);
        else if (this.frozen === "track") enter(average, null);
        else if (!average.member.held) {
          const open = average.member.notFrozen(null);
          if (open !== "none") enter(average, open);
        }
      }
    });
    const count = (by: number) => () => {
      for (const average of updated) average.updates += by;
    };
    hostEffect({ apply: count(1), undo: count(-1) });
  }

  /** Warns, once each, of what the module has come to hold since the averages were made. */
  #lookForOthers(stepped: readonly SteppedParameter[] = []): void {
    const has = (item: SteppedParameter): boolean =>
      this.average.has(item instanceof Tensor ? item : item[0]);
    if (structureEpoch() === this.#structuresSeen && stepped.every(has)) return;
    this.#structuresSeen = structureEpoch();
    const buffers = this.buffers === "ignore" ? [] : this.module.namedBuffers();
    const others = [...this.module.namedParameters(), ...buffers].filter(
      ([, member]) => !this.average.has(member) && !this.#told.has(member),
    );
    if (others.length === 0) return;
    for (const [, member] of others) this.#told.add(member);
    const paths = others.map(([path]) => path).join(", ");
    console.warn(
      `thaw: ${paths} came into the module after its EMA was made, and ${others.length === 1 ? "has" : "have"} no average: use() leaves ` +
        `${others.length === 1 ? "it" : "them"} as ${others.length === 1 ? "it is" : "they are"} beside averages of the rest. Make the EMA after replacing or adding modules. (This is said once.)`,
    );
  }

  #decayOf({ updates }: Average): number {
    return this.warmup ? Math.min(this.#decay, (1 + updates) / (10 + updates)) : this.#decay;
  }

  /**
   * Runs `fn` with the averages in place of the module's parameters, and of its buffers where those have averages, and
   * then puts back what was there, bit for bit, also where it throws; if it gives a promise, when that settles. What
   * is written to them meanwhile, by an optimizer for instance, is lost.
   */
  use<T>(fn: () => T): T {
    refuseWhileRecording("EMA.use");
    if (this.#inUse.value)
      throw new ArgumentError("EMA.use: the averages are in use already; a use inside is one too many");
    const members = new Set(this.#all().map(({ member }) => member));
    // Uses that overlap would end in any order, and the last to end decides what the weights are.
    if (haveStandIns(members))
      throw new ArgumentError(
        "EMA.use: the averages of another EMA are in place of the same weights, and what each puts back would depend on which ends first; use one after the other",
      );
    this.#lookForOthers();
    const before = this.#all().map(({ member }) => [member, bitsOf(member, "EMA.use")] as const);
    this.#inUse.value = true;
    const end = noteStandIns(members);
    writingAs("EMA.use", () => {
      for (const { member, tensor } of this.#all())
        member.assign(like(tensor.node, member.shape, member.dtype, "EMA.use"));
    });
    return runThen(fn, () => {
      writingAs("EMA.use", () => {
        for (const [member, bits] of before) member.assign(hostNode(bits, member.dtype, member.shape));
      });
      this.#inUse.value = false;
      end();
    });
  }

  /** The averages by the paths of what they are of. */
  #byPath(): Map<string, Average> {
    const { module } = this;
    const averages = new Map(this.#all().map((average) => [average.member, average]));
    return new Map(
      [...module.namedParameters(), ...module.namedBuffers()].flatMap(([path, member]) => {
        const average = averages.get(member);
        return average === undefined ? [] : [[path, average] as const];
      }),
    );
  }

  /** Copies of the averages, and their update counts, by path. */
  stateDict(options: Pick<StateContext, "live"> = {}): EMAStateDict {
    refuseContext("stateDict", options);
    const { live = false } = options;
    refuseWhileRecording("stateDict()");
    const byPath = [...this.#byPath()];
    return {
      averages: Object.fromEntries(
        byPath.map(([path, { tensor }]) => [path, live ? tensor : copyOf(tensor)]),
      ),
      updates: Object.fromEntries(byPath.map(([path, { updates }]) => [path, updates])),
    };
  }

  /** Puts back what `stateDict` gave. All of it is checked first: if anything does not fit, nothing is loaded. */
  loadStateDict(dict: EMAStateDict, context: StateContext = {}): void {
    refuseContext("loadStateDict", context);
    this.prepareLoad(dict, context)();
  }

  /** Checks what `loadStateDict` takes; gives what puts it in place, which cannot fail. */
  prepareLoad(dict: EMAStateDict, context: StateContext = {}): () => void {
    refuseWhileRecording("loadStateDict()");
    const averages = translated(dict.averages, this.module, context);
    const updates = translated(dict.updates, this.module, context);
    // What is pending belongs to the averages that are there.
    commit();
    const byPath = this.#byPath();
    const wrong = Object.keys(averages)
      .filter((path) => !byPath.has(path))
      .map((path) => `there is an average for ${path}, which this one has not`);
    for (const [path, { tensor }] of byPath) {
      const given = averages[path];
      const count = updates[path];
      if (!(given instanceof Tensor)) wrong.push(`there is no average for ${path}`);
      else if (!sameShape(given.shape, tensor.shape) || given.dtype !== tensor.dtype)
        wrong.push(
          `${path} is ${given.dtype}${shapeText(given.shape)}, the average here ${tensor.dtype}${shapeText(tensor.shape)}`,
        );
      if (!Number.isInteger(count) || count! < 0)
        wrong.push(`the updates of ${path} are ${String(count)}, not a whole number of at least 0`);
    }
    if (wrong.length > 0)
      throw new StateDictError(
        `loadStateDict: the state dict does not fit this EMA; nothing was loaded.\n  ${wrong.map(printable).join("\n  ")}`,
      );
    const ready = [...byPath].map(([path, average]) => ({
      average,
      bits: bitsOf(averages[path]!, "loadStateDict()"),
      count: updates[path]!,
    }));
    return () => {
      for (const { average, bits, count } of ready) {
        average.tensor.resident.storage.overwrite(bits);
        average.updates = count;
      }
    };
  }
}

/** An average that starts from the present value. */
function startAverage<M extends Parameter | Buffer>(member: M): Average<M> {
  // An integer is copied; a storage dtype would round small changes away.
  const dtype = isFloat(member.dtype) ? computeDtype(member.dtype) : member.dtype;
  const resident = new Resident(dtype, member.shape);
  resident.storage.label = `${member.label || "a value"} (average)`;
  resident.assign(like(member.resident.node, member.shape, dtype, "EMA"));
  return { member, tensor: new StateTensor(resident), updates: 0 };
}

/** What was stepped, and which part of each; without a list, everything. */
function regionsOf(stepped: Iterable<SteppedParameter> | undefined): {
  readonly all: boolean;
  readonly of: ReadonlyMap<Parameter, Region | null>;
} {
  const of = new Map<Parameter, Region | null>();
  for (const item of stepped ?? []) {
    const [parameter, region] = item instanceof Tensor ? [item, null] : item;
    of.set(parameter, region);
  }
  return { all: stepped === undefined, of };
}
