import { dtypes } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { NumberList } from "../base/number-list.ts";
import { pushAttributes } from "../ir/attributes.ts";
import { isOp, type Node } from "../ir/node.ts";
import { type Op, ops } from "../ir/op.ts";
import { isInline, type Locate } from "./body.ts";
import { foldedAxes, type Group } from "./cluster.ts";
import type { AccessArgs, KernelCall } from "./kernel.ts";
import type { Layout } from "./layout.ts";
import { lowerContract } from "./lower-contract.ts";
import { lowerLoop } from "./lower-loop.ts";
import { viewOf } from "./view.ts";

const opCode = new Map(Object.keys(ops).map((op, code) => [op as Op, code]));
const dtypeCode = new Map(Object.keys(dtypes).map((dtype, code) => [dtype, code]));

/** What an operand of a cluster's member is. */
const operandKind = { member: 0, prologue: 1, inline: 2, iota: 3, memory: 4 };

/** What has been lowered; accesses of its call have the places of buffers among those of the cluster. */
interface Lowered {
  readonly numbers: Float64Array;
  /** The place of its call. */
  readonly place: number;
}

/** What lowering has to know of a plan's memory. */
type Memory = Pick<Layout, "buffers" | "locate" | "stores">;

/** Which clusters of a plan are alike. */
export interface Alike {
  /** Of each cluster in turn the place, among calls that differ in more than buffers, of its own. */
  readonly of: readonly number[];
  /** The buffers of each cluster in turn, by their first appearance in it. */
  readonly buffers: readonly (readonly number[])[];
}

/**
 * Lowers the clusters of one plan, and each only once of those that are alike: the layers of a deep network. What a call
 * is made of follows from a cluster's operations, shapes and strides and from which of its buffers are the same, not from
 * which they are: these are numbered by their first appearance in the cluster, and all else is written down as numbers,
 * by which a cluster is looked up. Where it is known which clusters are alike, they are not written down.
 */
export class Lowering {
  /** Which clusters so far are alike. */
  readonly alike: { readonly of: number[]; readonly buffers: (readonly number[])[] } = {
    of: [],
    buffers: [],
  };
  readonly #prologues: ReadonlySet<Node>;
  readonly #memory: Memory;
  readonly #given: Alike | null;
  readonly #known = new Map<number, Lowered[]>();
  /** Calls that differ in more than buffers. */
  readonly #calls: (KernelCall | null)[] = [];
  readonly #key = new NumberList();
  /** Buffers of the present cluster, and its members, each at its place among them. */
  #buffers: number[] = [];
  readonly #members: Node[] = [];

  /** `given`: which clusters are alike, where that is known; `call` then asks for the same clusters in the same order. */
  constructor(prologues: ReadonlySet<Node>, memory: Memory, given: Alike | null = null) {
    this.#prologues = prologues;
    this.#memory = memory;
    this.#given = given;
  }

  /** The call of a cluster that is a loop or a product; null where there is nothing to do. */
  call(c: Group): KernelCall | null {
    const { of, buffers } = this.alike;
    const place = this.#given === null ? this.#find(c) : this.#next(c, this.#given, of.length);
    if (place === this.#calls.length) this.#calls.push(this.#lower(c));
    of.push(place);
    buffers.push(this.#buffers);
    const own = this.#buffers;
    const call = this.#calls[place]!;
    return call && { ...call, accesses: call.accesses.map((access) => inBuffer(access, own)) };
  }

  /** The place of a cluster's call by what it is. */
  #find(c: Group): number {
    this.#describe(c);
    const hash = this.#key.hash();
    let alike = this.#known.get(hash);
    if (alike === undefined) this.#known.set(hash, (alike = []));
    let lowered = alike.find(({ numbers }) => this.#key.equals(numbers));
    if (lowered === undefined)
      alike.push((lowered = { numbers: this.#key.copy(), place: this.#calls.length }));
    return lowered.place;
  }

  /** The place of a cluster's call by what is known. */
  #next(c: Group, given: Alike, at: number): number {
    const buffers = given.buffers[at]!;
    const there = this.#memory.buffers.length;
    // Constants become buffers when the first kernel asks for them.
    if (buffers.some((buffer) => buffer >= there)) this.#describe(c);
    this.#buffers = [...buffers];
    return given.of[at]!;
  }

  #lower(c: Group): KernelCall | null {
    const place = (buffer: number): number => {
      const at = this.#buffers.indexOf(buffer);
      if (at < 0) throw new InternalError(`plan: a kernel has buffer ${buffer}, which nobody has counted`);
      return at;
    };
    const locate: Locate = (base) => place(this.#memory.locate(base));
    const stores = (n: Node) => this.#memory.stores(n).map(place);
    return c.kind === "contract"
      ? lowerContract(c, this.#prologues, locate, stores)
      : lowerLoop(c, locate, stores);
  }

  /** Writes down all that lowering a cluster depends on. */
  #describe(c: Group): void {
    const key = this.#key;
    key.clear();
    this.#buffers = [];
    this.#members.length = 0;
    key.push(c.kind === "contract" ? 1 : 0);
    key.pushAll(c.shape);
    key.pushAll(foldedAxes(c));
    for (const n of c.nodes) {
      const isPartial = isOp(n, "sum") && c.sums.includes(n);
      key.push(isPartial ? 2 : c.rows.includes(n) ? 1 : 0);
      if (isPartial) key.pushAll(n.src[0]!.shape);
      this.#node(n);
      const stores = this.#memory.stores(n);
      key.push(stores.length);
      for (const buffer of stores) this.#buffer(buffer);
      this.#members.push(n);
    }
  }

  #node(n: Node): void {
    const key = this.#key;
    key.push(opCode.get(n.op)!);
    key.push(dtypeCode.get(n.dtype)!);
    pushAttributes(key, n);
    // Of others the shape follows from the cluster's: theirs are looked at as they are, axes of size 1 included.
    const { kind } = ops[n.op];
    if (kind !== "elementwise" && kind !== "reduce") key.pushAll(n.shape);
    for (let i = 0; i < n.src.length; i++) this.#operand(n.src[i]!);
  }

  #operand(s: Node): void {
    const key = this.#key;
    const { base, offset, strides } = viewOf(s);
    const member = this.#members.indexOf(base);
    if (member >= 0) {
      // A value in registers: a member finds its own, however it looks at it.
      key.push(operandKind.member);
      key.push(member);
      return;
    }
    key.pushAll(s.shape);
    key.push(offset);
    key.pushAll(strides);
    if (this.#prologues.has(base)) {
      key.push(operandKind.prologue);
      key.pushAll(base.shape);
      this.#node(base);
    } else if (isOp(base, "constant") && isInline(base.dtype, base.attrs.value)) {
      key.push(operandKind.inline);
      key.push(dtypeCode.get(base.dtype)!);
      key.push(base.attrs.value);
    } else {
      key.push(isOp(base, "iota") ? operandKind.iota : operandKind.memory);
      key.push(dtypeCode.get(base.dtype)!);
      if (!isOp(base, "iota")) this.#buffer(this.#memory.locate(base));
    }
  }

  #buffer(buffer: number): void {
    let place = this.#buffers.indexOf(buffer);
    if (place < 0) place = this.#buffers.push(buffer) - 1;
    this.#key.push(place);
  }
}

/** An access to the buffer in its place among some. */
function inBuffer(access: AccessArgs, buffers: readonly number[]): AccessArgs {
  const { buffer, offset, strides, axisStride } = access;
  if (buffer < 0) return access;
  const at = buffers[buffer]!;
  return axisStride === undefined
    ? { buffer: at, offset, strides }
    : { buffer: at, offset, strides, axisStride };
}
