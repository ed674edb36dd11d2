import { ArgumentError, CaptureError } from "../base/errors.ts";
import { currentTrace, hostEffect } from "../engine/trace.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { intersect, minus, type Region } from "../tensor/region.ts";
import { type Part, within } from "./part.ts";
import { sliceOf } from "./state.ts";
import { type ResidentState, StateTensor } from "./state-tensor.ts";

/** Parts into which the state of one parameter may be cut. */
const maxParts = 256;

/**
 * The states of an optimizer: of each parameter, disjoint parts with a state each. A parameter that is trained whole
 * has one part; where a step trains a region that cuts across parts, they are cut, and every bit is kept.
 */
export class States {
  /** Updates carried out so far. */
  updates = 0;
  /** The states of parameters that have one. */
  readonly single = new Map<Parameter, ResidentState>();
  /** Says that parts or their tensors are no longer those that recordings refer to. */
  readonly outdate: () => void;
  readonly #parts = new Map<Parameter, readonly Part[]>();

  constructor(outdate: () => void) {
    this.outdate = outdate;
  }

  /** The parts of a parameter that have been stepped. */
  of(parameter: Parameter): readonly Part[] {
    return this.#parts.get(parameter) ?? [];
  }

  /** All parts that have a state. */
  *all(): Generator<Part> {
    for (const parts of this.#parts.values()) yield* parts.filter((part) => !part.dropped);
  }

  has(part: Part): boolean {
    return this.#parts.get(part.parameter)?.includes(part) ?? false;
  }

  /** Puts a part in; it must not overlap with another. */
  add(part: Part): void {
    this.#set(part.parameter, [...this.of(part.parameter), part]);
  }

  /** Takes a part out, and with it the recordings that refer to it. */
  delete(part: Part): void {
    this.#set(
      part.parameter,
      this.of(part.parameter).filter((other) => other !== part),
    );
    this.outdate();
  }

  /** Says that a part has lost its state, or has one again; it keeps its place, for the recordings that step it. */
  setDropped(part: Part, dropped: boolean): void {
    part.dropped = dropped;
    this.#set(part.parameter, [...this.of(part.parameter)]);
  }

  /** Takes out all parts of a parameter. */
  clear(parameter: Parameter): void {
    this.#set(parameter, []);
  }

  #set(parameter: Parameter, parts: readonly Part[]): void {
    if (parts.length === 0) this.#parts.delete(parameter);
    else this.#parts.set(parameter, parts);
    if (parts.length === 1 && !parts[0]!.dropped) this.single.set(parameter, parts[0]!.state);
    else this.single.delete(parameter);
  }

  /**
   * The parts that together are a region: those there are, cut where they reach beyond it, and what is missing. `refuse`
   * throws for what can be no part, before anything is cut.
   */
  cover(
    parameter: Parameter,
    region: Region | null,
    make: (region: Region | null) => Part,
    refuse: (region: Region | null) => void,
  ): Part[] {
    const cut = (part: Part, to: Region): Part => {
      refuse(to);
      return cutOf(part, to);
    };
    const parts = this.of(parameter);
    if (parts.length === 1 && parts[0]!.region === region) return [parts[0]!];
    const found: Part[] = [];
    let kept: Part[] = [];
    let missing: Region | null | "none" = region;
    for (const part of parts) {
      const common = intersect(part.region, region);
      if (common?.isEmpty) kept.push(part);
      else {
        const rest = minus(part.region, common);
        const inside = rest === "none" ? part : cut(part, common!);
        found.push(inside);
        kept.push(inside);
        if (rest !== "none") kept.push(cut(part, rest!));
        if (missing !== "none") missing = minus(missing, part.region);
      }
    }
    if (missing !== "none") refuse(missing);
    // What has been dropped has nothing to lose: it was kept for the recordings that step it.
    if (kept.length > maxParts) kept = kept.filter((part) => !part.dropped || found.includes(part));
    if (kept.length > maxParts)
      throw new ArgumentError(
        `The optimizer's state of ${parameter.label || "a parameter"} would be cut into ${kept.length} parts, each trained at times of its own; ` +
          `${maxParts} is the most. Train regions that repeat or nest, or drop its state between them.`,
      );
    if (kept.length !== parts.length || kept.some((part) => !parts.includes(part)))
      this.#recut(parameter, parts, kept);
    if (missing !== "none") found.push(make(missing));
    return found;
  }

  /** Puts parts in the place of others, unless the step that they are for fails. */
  #recut(parameter: Parameter, before: readonly Part[], parts: readonly Part[]): void {
    const put = (these: readonly Part[]): void => {
      this.#set(parameter, these);
      this.outdate();
    };
    put(parts);
    // A recording that replays it finds nothing to do, and does not hold on to what was before.
    let undo: (() => void) | null = () => put(before);
    hostEffect({
      apply: () => {},
      undo: () => undo?.(),
      done: () => {
        undo = null;
      },
    });
  }
}

/** The state of some of a part: its numbers, and its tensors' bits there. */
function cutOf(part: Part, region: Region): Part {
  part.offloaded?.restore();
  const place = part.region === null ? region : within(region, part.region);
  const state = { ...part.state } as ResidentState;
  for (const [name, value] of Object.entries(part.state)) {
    if (!(value instanceof StateTensor)) continue;
    if (currentTrace().writes.has(value.resident))
      throw new CaptureError(
        `The optimizer steps ${part.parameter.label || "a parameter"} twice in one captured step, with regions that overlap in part; ` +
          "step each region once outside of capture first, or capture them apart.",
      );
    state[name] = sliceOf(value, place, region.partShape);
  }
  return { ...part, running: false, region, state };
}
