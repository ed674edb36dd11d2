import { StateDictError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { fromArray } from "../tensor/create.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Member, Memory, sizeOfMember } from "./lbfgs-memory.ts";
import { partShape } from "./part.ts";

/** What L-BFGS keeps of a parameter: its share of what the parameters that are trained together have learned. */
export interface LBFGSState {
  /** Iterations so far. */
  step: number;
  /** How often the loss has been computed. */
  funcEvals: number;
  /** The last direction, and how much of it was gone. */
  d: Tensor;
  t: number;
  /** The gradient before the last step, and the loss. */
  prevFlatGrad: Tensor;
  prevLoss: number;
  /** Changes of the gradient over the last steps, and the steps, [pairs, ...]. */
  oldDirs: Tensor;
  oldStps: Tensor;
  /** 1 / (change · step) of each pair, of all parameters together. */
  ro: Tensor;
  HDiag: number;
}

/** The state of each member, and where it lies in the row. */
export function statesOf(memory: Memory): [Member, LBFGSState][] {
  const { pairs } = memory;
  let at = 0;
  return memory.members.map((member) => {
    const shape = partShape(member.parameter, member.region);
    const [from, to] = [at, (at += sizeOfMember(member))];
    const part = (row: Float64Array | null): Tensor =>
      fromArray(row === null ? new Float64Array(to - from) : row.slice(from, to), [...shape]);
    const parts = (rows: readonly Float64Array[]): Tensor =>
      fromArray(Float64Array.from(rows.flatMap((row) => [...row.subarray(from, to)])), [
        rows.length,
        ...shape,
      ]);
    const state: LBFGSState = {
      step: memory.iterations,
      funcEvals: memory.evaluations,
      d: part(memory.direction),
      t: memory.step,
      prevFlatGrad: part(memory.gradient),
      prevLoss: memory.loss,
      oldDirs: parts(pairs.map(({ change }) => change)),
      oldStps: parts(pairs.map(({ step }) => step)),
      ro: fromArray(
        Float64Array.from(pairs, ({ scale }) => scale),
        [pairs.length],
      ),
      HDiag: memory.diagonal,
    };
    return [member, state];
  });
}

const tensors = ["d", "prevFlatGrad", "oldDirs", "oldStps", "ro"] as const;
const numbers = ["step", "funcEvals", "t", "prevLoss", "HDiag", "set", "members"] as const;

/** A saved entry: which set it was trained in, and the region of its parameter. */
type Saved = Readonly<Record<string, number | Tensor>>;

/** The memories as data, by the names of their members; `set` tells which were trained together. */
export function savedMemories(
  memories: readonly Memory[],
  nameOf: (p: Parameter) => string,
  memoryOf: (p: Parameter) => Memory | undefined,
): Record<string, Record<string, number | Tensor>> {
  const saved: Record<string, Record<string, number | Tensor>> = {};
  for (const [set, memory] of memories.entries())
    for (const [{ parameter, region }, state] of statesOf(memory)) {
      if (memoryOf(parameter) !== memory) continue;
      const entries: Record<string, number | Tensor> = { ...state, set, members: memory.total };
      if (region !== null) {
        entries.dim = region.dim ?? -1;
        entries.indices = fromArray(region.indices, [region.indices.length], { dtype: "i32" });
      }
      saved[nameOf(parameter)] = entries;
    }
  return saved;
}

/** The memories that data stand for; throws `StateDictError` where they do not fit. */
export function readMemories(
  saved: Readonly<Record<string, Saved>>,
  parameterOf: (name: string) => Parameter | undefined,
): Memory[] {
  const wrong: string[] = [];
  const sets = new Map<number, [Member, Saved][]>();
  for (const [name, state] of Object.entries(saved)) {
    const parameter = parameterOf(name);
    const problem = parameter === undefined ? "there is no such parameter" : problemOf(parameter, state);
    if (problem !== null) {
      wrong.push(`${name}: ${problem}`);
      continue;
    }
    const member = { parameter: parameter!, region: regionOf(parameter!, state) };
    const set = state.set as number;
    sets.set(set, [...(sets.get(set) ?? []), [member, state]]);
  }
  if (wrong.length > 0)
    throw new StateDictError(
      `loadStateDict: the state dict does not fit this LBFGS; nothing was loaded.\n  ${wrong.join("\n  ")}`,
    );
  return [...sets.values()].map(memoryOf);
}

function regionOf({ shape }: Parameter, { dim, indices }: Saved): Region | null {
  if (!(indices instanceof Tensor)) return null;
  const places = Int32Array.from(indices.dataSync());
  return dim === -1 ? Region.elements(shape, places) : Region.along(shape, dim as number, places);
}

/** What is wrong with the saved state of a parameter, or null. */
function problemOf(parameter: Parameter, state: Saved): string | null {
  for (const name of numbers) if (typeof state[name] !== "number") return `it has no number ${name}`;
  for (const name of tensors) if (!(state[name] instanceof Tensor)) return `it has no tensor ${name}`;
  const { dim, indices } = state;
  if (indices !== undefined) {
    if (!(indices instanceof Tensor) || typeof dim !== "number") return "its region is none";
    const limit = dim === -1 ? parameter.numel : (parameter.shape[dim] ?? 0);
    if (!indices.dataSync().every((i) => i >= 0 && i < limit))
      return "its region reaches beyond the parameter";
  }
  const shape = partShape(parameter, regionOf(parameter, state));
  const pairs = (state.ro as Tensor).numel;
  const should = { d: shape, prevFlatGrad: shape, oldDirs: [pairs, ...shape], oldStps: [pairs, ...shape] };
  for (const [name, wanted] of Object.entries(should))
    if ((state[name] as Tensor).shape.join() !== wanted.join())
      return `${name} has shape [${(state[name] as Tensor).shape}], and here it is [${wanted}]`;
  return null;
}

/** A memory of saved members. */
function memoryOf(members: readonly [Member, Saved][]): Memory {
  const [, first] = members[0]!;
  const memory = new Memory(
    members.map(([member]) => member),
    first.members as number,
  );
  memory.iterations = first.step as number;
  memory.evaluations = first.funcEvals as number;
  const joined = (name: "d" | "prevFlatGrad" | "oldDirs" | "oldStps", pair: number | null): Float64Array =>
    Float64Array.from(
      members.flatMap(([member, state]) => {
        const size = sizeOf(partShape(member.parameter, member.region));
        const all = (state[name] as Tensor).dataSync();
        return [...(pair === null ? all : all.subarray(pair * size, (pair + 1) * size))] as number[];
      }),
    );
  memory.direction = joined("d", null);
  memory.gradient = joined("prevFlatGrad", null);
  memory.step = first.t as number;
  memory.loss = first.prevLoss as number;
  memory.diagonal = first.HDiag as number;
  memory.pairs = Array.from((first.ro as Tensor).dataSync(), (scale, i) => ({
    step: joined("oldStps", i),
    change: joined("oldDirs", i),
    scale: Number(scale),
  }));
  return memory;
}
