import { sizeOf } from "../base/shape.ts";
import { hostNode } from "../engine/trace.ts";
import { like } from "../tensor/operations/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import { partShape } from "./part.ts";

/** What is trained of a parameter: a region of it, or all of it (null). */
export interface Member {
  readonly parameter: Parameter;
  readonly region: Region | null;
}

/** How many numbers a member has. */
export const sizeOfMember = ({ parameter, region }: Member): number => sizeOf(partShape(parameter, region));

/** Σ aᵢ bᵢ. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** a += factor · b. */
function addScaled(a: Float64Array, factor: number, b: Float64Array): void {
  for (let i = 0; i < a.length; i++) a[i]! += factor * b[i]!;
}

/** The largest |aᵢ|; a NaN if there is one. */
export function largest(a: Float64Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) if (!(Math.abs(a[i]!) <= most)) most = Math.abs(a[i]!);
  return most;
}

/** How the gradient has changed along the last steps that were taken together: what L-BFGS knows of the curvature. */
export interface CurvaturePair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  /** 1 / (step · change). */
  readonly scale: number;
}

/**
 * What one set of parameters has learned of its loss, as vectors of all of them in a row, in f64. It is only of use while
 * the same set is trained together: the numbers of one parameter mean nothing without those of the others.
 */
export class Memory {
  readonly members: readonly Member[];
  /** How many were trained together: after a load some may be missing, which have been trained with others since. */
  readonly total: number;
  /** Iterations and evaluations of the loss so far. */
  iterations = 0;
  evaluations = 0;
  pairs: readonly CurvaturePair[] = [];
  /** The curvature that the first guess has everywhere. */
  diagonal = 1;
  direction: Float64Array | null = null;
  step = 0;
  gradient: Float64Array | null = null;
  loss = 0;

  constructor(members: readonly Member[], total = members.length) {
    this.members = members;
    this.total = total;
  }

  /** A copy, which can be changed while this stays as it is: no vector is ever changed itself. */
  copy(): Memory {
    return Object.assign(new Memory(this.members, this.total), this);
  }

  /** Whether it is that of these parameters, and of the same of them. */
  isOf(members: readonly Member[]): boolean {
    return (
      this.total === members.length &&
      this.members.length === members.length &&
      this.members.every(
        ({ parameter, region }, i) => members[i]!.parameter === parameter && members[i]!.region === region,
      )
    );
  }

  /** The next direction, from the gradient here; what the last step has taught is taken in first. */
  advance(gradient: Float64Array, historySize: number): Float64Array {
    this.iterations++;
    if (this.direction !== null && this.gradient !== null) {
      const step = this.direction.map((d) => d * this.step);
      const before = this.gradient;
      const change = gradient.map((g, i) => g - before[i]!);
      const product = dot(change, step);
      if (product > 1e-10) {
        this.pairs = [...this.pairs, { step, change, scale: 1 / product }].slice(-historySize);
        this.diagonal = product / dot(change, change);
      }
    }
    this.gradient = gradient;
    this.direction = this.descent(gradient);
    return this.direction;
  }

  /** The two loops of Nocedal: the gradient, turned by the curvature that the pairs know of. */
  private descent(gradient: Float64Array): Float64Array {
    const direction = gradient.map((g) => -g);
    if (this.iterations === 1) return direction;
    const factors: number[] = [];
    for (let i = this.pairs.length - 1; i >= 0; i--) {
      const { step, change, scale } = this.pairs[i]!;
      factors[i] = dot(step, direction) * scale;
      addScaled(direction, -factors[i]!, change);
    }
    for (let i = 0; i < direction.length; i++) direction[i]! *= this.diagonal;
    for (const [i, { step, change, scale }] of this.pairs.entries())
      addScaled(direction, factors[i]! - dot(change, direction) * scale, step);
    return direction;
  }
}

/** Members' numbers in a row: what `of` gives of each, in the shape of its region; zeros for null. */
export function flattened(members: readonly Member[], of: (p: Parameter) => Tensor | null): Float64Array {
  const flat = new Float64Array(members.reduce((n, member) => n + sizeOfMember(member), 0));
  let at = 0;
  for (const member of members) {
    const value = of(member.parameter);
    if (value !== null) {
      const { node } = value.detach();
      flat.set(new Tensor(member.region === null ? node : member.region.take(node)).dataSync(), at);
    }
    at += sizeOfMember(member);
  }
  return flat;
}

/** Assigns a row of numbers to members, each in its own dtype; what of a parameter is in no region is not written. */
export function assignFlat(members: readonly Member[], flat: Float64Array): void {
  let at = 0;
  for (const member of members) {
    const { parameter, region } = member;
    const size = sizeOfMember(member);
    const shape = partShape(parameter, region);
    const value = like(
      hostNode(flat.slice(at, at + size), "f64", [...shape]),
      shape,
      parameter.dtype,
      "LBFGS",
    );
    parameter.assign(region === null ? value : region.put(parameter.resident.node, value));
    at += size;
  }
}
