import { type DType, dtypes, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, RankError } from "../base/errors.ts";
import { yielding } from "../base/yielding.ts";
import type { Meet } from "../checkpoint/meet.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import { sumInOrder } from "../ir/sum-in-order.ts";
import { notCopied, requireRank } from "./alone.ts";
import type { Action, Engine, Meeting, Sent } from "./engine.ts";
import { gatherTexts } from "./gather-texts.ts";
import type { Group } from "./group.ts";
import { withOthers } from "./interruption.ts";
import { StepGroup, type StepGroupSettings } from "./step-group.ts";
import { sizesRefusal } from "./watched-engine.ts";

/** What is used of `node:v8`: structured clone to bytes, and back. */
interface Codec {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

const codec = (): Codec => process.getBuiltinModule("node:v8");

/** The dtypes of arrays; one of 16 bits has none, as two have such arrays. */
const dtypeOf = (values: unknown): DType | null =>
  values instanceof Float32Array
    ? "f32"
    : values instanceof Float64Array
      ? "f64"
      : values instanceof Int32Array
        ? "i32"
        : values instanceof Uint8Array
          ? "u8"
          : values instanceof Int8Array
            ? "i8"
            : null;

/** A group of several ranks, whatever they reach each other by. */
export class Ranked implements Group {
  readonly rank: number;
  readonly size: number;
  readonly engine: string;
  readonly restarts: number;
  readonly #engine: Engine;
  #steps = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.rank = engine.rank;
    this.size = engine.size;
    this.engine = engine.name;
    this.restarts = engine.restarts;
  }

  get sent(): Sent {
    return { ...this.#engine.sent };
  }

  /** A call of a script's: done now, in full; its promise gives way to output and timers where that is due. */
  #call<T>(meeting: Meeting & Action, work: () => T): Promise<T> {
    refuseWhileRecording("a call of a group");
    this.#engine.note(meeting, 0);
    return yielding(() => withOthers(this.#engine, meeting, work));
  }

  sum<A extends TypedArray>(values: A): Promise<A> {
    return this.#call("sum()", () => {
      const dtype = dtypeOf(values);
      if (dtype === null)
        throw new ArgumentError(
          "sum(): takes a Float32Array, Float64Array, Int32Array, Int8Array or Uint8Array; of a tensor its await t.data()",
        );
      const total = values.slice() as A;
      const own = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const all = this.#engine.gather("sum()", own);
      if (all.some(({ length }) => length !== own.length))
        throw sizesRefusal(all.map(({ length }) => length / values.BYTES_PER_ELEMENT));
      const { array } = dtypes[dtype];
      const arrays = all.map(({ buffer }) => new array(buffer as ArrayBuffer) as TypedArray);
      sumInOrder(arrays, total, dtype);
      return total;
    });
  }

  broadcast<T>(value: T, from = 0): Promise<T> {
    return this.#call("broadcast()", () => {
      requireRank("broadcast", from, this.size);
      const bytes = from === this.rank ? this.#bytesOf("broadcast", value) : null;
      return codec().deserialize(this.#engine.broadcast("broadcast()", bytes, from)) as T;
    });
  }

  gather<T>(value: T): Promise<T[]> {
    return this.#call("gather()", () => {
      const all = this.#engine.gather("gather()", this.#bytesOf("gather", value));
      return all.map((bytes) => codec().deserialize(bytes) as T);
    });
  }

  barrier(): Promise<void> {
    return this.#call("barrier()", () => {
      this.#engine.gather("barrier()", new Uint8Array(0));
    });
  }

  #bytesOf(what: string, value: unknown): Uint8Array {
    try {
      return codec().serialize(value);
    } catch (error) {
      throw notCopied(what, error);
    }
  }

  abort(message: string): never {
    this.#engine.abort(message);
    throw new RankError(message, { rank: this.rank });
  }

  forStep(settings: StepGroupSettings): StepGroup {
    return new StepGroup(this.#engine, ++this.#steps, settings);
  }

  forCheckpoint(): Meet {
    refuseWhileRecording("a checkpoint of a group");
    return (text) => {
      this.#engine.note("a checkpoint", 0);
      return withOthers(this.#engine, "a checkpoint", () => gatherTexts(this.#engine, "a checkpoint", text));
    };
  }
}
