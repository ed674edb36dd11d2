import { bytesOf } from "../base/dtype.ts";
import { equalBytes } from "../base/equal-bytes.ts";
import { StateDictError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { type StateContext, translated } from "../base/stateful.ts";
import { hostNode } from "../engine/trace.ts";
import { bitsOf } from "../nn/bits.ts";
import type { Module } from "../nn/module.ts";
import { fromArray } from "../tensor/create.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { copyOf } from "../tensor/pieces.ts";
import { Region, union } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Start, sketchSize } from "./start.ts";

/** Where a part of a parameter began. */
export interface StartState {
  /** Of a region: its dimension (-1: single elements) and its indices. */
  dim?: number;
  indices?: Tensor;
  /** Its elements, or a sketch of them. */
  elements?: Tensor;
  sketch?: Tensor;
}

/** What a parameter has gone through, as data. */
export interface ParameterReportState {
  steps: number;
  tasks: string[];
  /** Null: some, nobody knows how many. */
  bitsChanged: number | null;
  /** How often it was frozen without its bits being compared, and thaw did not write to it, or did; 0 where nothing is said. */
  unread?: number;
  written?: number;
  /** Whether it was ever frozen; files of older versions do not say. */
  everFrozen?: boolean;
  /** Its value at the start; `"same"`: the one that it has now. Nothing where neither a copy nor a sketch was kept. */
  start?: Tensor | "same" | StartState[];
}

/** What a step reports of each parameter, by path. */
export type ReportStateDict = Readonly<{ [path: string]: ParameterReportState }>;

/** What a state says of a parameter. */
export interface LoadedReport extends Pick<ParameterReportState, "steps" | "tasks"> {
  readonly everFrozen: boolean;
  readonly known: { readonly bits: number | null; readonly unread: number; readonly written: number };
  /** Empty: it has not been trained, or is where it was; null: nobody knows. */
  readonly starts: readonly Start[] | null;
}

/** What is kept of a parameter's way, as data; `starts` null: nothing is known of where it began. */
export function reportState(
  p: Parameter,
  counted: Omit<ParameterReportState, "start">,
  starts: readonly Start[] | null,
): ParameterReportState {
  if (starts === null) return counted;
  if (isWhereItBegan(p, starts)) return { ...counted, start: "same" };
  const parts = starts.map((start) => stateOf(p, start));
  // As files of older versions have it, where it is of all of the parameter.
  const whole = starts[0]!.region === null ? parts[0]!.elements : undefined;
  return { ...counted, start: whole ?? parts };
}

function isWhereItBegan({ resident }: Parameter, starts: readonly Start[]): boolean {
  return starts.every((start) => {
    if ("sketch" in start || start.dtype !== resident.storage.dtype) return false;
    const [before, now] = [start.elements, copyOf(resident.storage, start.region)].map((a) => bytesOf(a));
    return equalBytes(before!, now!);
  });
}

function stateOf({ shape }: Parameter, start: Start): StartState {
  const { region } = start;
  const at = region && { dim: region.dim ?? -1, indices: fromArray(region.indices, [region.indices.length]) };
  return "sketch" in start
    ? { ...at, sketch: new Tensor(hostNode(start.sketch, "f64", [sketchSize])) }
    : { ...at, elements: new Tensor(hostNode(start.elements, start.dtype, region?.partShape ?? shape)) };
}

/** Checks a state against a module; gives what it says of each of its parameters, null where that is nothing. */
export function loadedReport(
  given: ReportStateDict,
  module: Module,
  context: StateContext,
): Map<Parameter, LoadedReport | null> {
  const state: ReportStateDict = translated(given, module, context);
  const parameters = new Map(module.namedParameters());
  const loaded = new Map<Parameter, LoadedReport | null>([...parameters.values()].map((p) => [p, null]));
  for (const [path, of] of Object.entries(state)) {
    const p = parameters.get(path);
    const starts = p === undefined ? "wrong" : startsIn(p, of.start);
    const { steps, tasks, bitsChanged: bits, unread = 0, written = 0 } = of;
    const known = { bits, unread, written };
    if (
      p === undefined ||
      starts === "wrong" ||
      ![steps, unread, written, bits === null ? 0 : bits].every(isCount) ||
      !(Array.isArray(tasks) && tasks.every((task) => typeof task === "string")) ||
      !["boolean", "undefined"].includes(typeof of.everFrozen)
    )
      throw new StateDictError(
        `loadStateDict: what was reported of ${path} does not fit ${p === undefined ? "the module, which has it not" : `${p.dtype}${shapeText(p.shape)}`}; nothing was loaded.`,
      );
    loaded.set(p, { steps, tasks, known, everFrozen: of.everFrozen ?? bits !== 0, starts });
  }
  return loaded;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function startsIn(p: Parameter, start: ParameterReportState["start"]): readonly Start[] | null | "wrong" {
  if (start === undefined) return null;
  if (start === "same") return [];
  if (start instanceof Tensor) {
    if (!sameShape(start.shape, p.shape)) return "wrong";
    return [{ region: null, elements: bitsOf(start, "loadStateDict()"), dtype: start.dtype }];
  }
  if (!Array.isArray(start)) return "wrong";
  let all: Region | null | "none" = "none";
  const starts: Start[] = [];
  for (const part of start) {
    const one = startIn(p, part);
    if (one === null || (all !== "none" && overlap(all, one.region))) return "wrong";
    all = all === "none" ? one.region : union(all, one.region);
    starts.push(one);
  }
  return starts;
}

const overlap = (a: Region | null, b: Region | null): boolean =>
  a === null || b === null || !a.intersect(b).isEmpty;

/** A part of a start; null for what is none. */
function startIn(p: Parameter, { dim, indices, elements, sketch }: StartState): Start | null {
  const region = indices === undefined ? null : regionIn(p, dim, indices);
  if (region === "wrong") return null;
  const shape = region === null ? p.shape : region.partShape;
  if (elements instanceof Tensor)
    return sameShape(elements.shape, shape)
      ? { region, elements: bitsOf(elements, "loadStateDict()"), dtype: elements.dtype }
      : null;
  if (!(sketch instanceof Tensor) || sketch.dtype !== "f64" || !sameShape(sketch.shape, [sketchSize]))
    return null;
  return { region, sketch: bitsOf(sketch, "loadStateDict()") as Float64Array };
}

function regionIn(p: Parameter, dim: unknown, indices: unknown): Region | "wrong" {
  if (typeof dim !== "number" || !(indices instanceof Tensor) || indices.dtype !== "i32") return "wrong";
  const at = indices.dataSync() as Int32Array;
  try {
    return dim === -1 ? Region.elements(p.shape, at) : Region.along(p.shape, dim, at);
  } catch {
    return "wrong";
  }
}
