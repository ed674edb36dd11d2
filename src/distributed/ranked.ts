import { bytesOf, type DType, dtypes, type TypedArray } from "../base/dtype.ts";
import { errorText } from "../base/error-text.ts";
import { ArgumentError, GroupError, RankError } from "../base/errors.ts";
import { yielding } from "../base/yielding.ts";
import type { Meet } from "../checkpoint/meet.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import { sumInOrder } from "../ir/sum-in-order.ts";
import { requireRank } from "./alone.ts";
import { codec, encoded } from "./codec.ts";
import { type Action, type Engine, interruptions, type Meeting, type Sent } from "./engine.ts";
import { gatherTexts } from "./gather-texts.ts";
import type { Group } from "./group.ts";
import { failedRanks, withOthers } from "./interruption.ts";
import { arrayOf, Met } from "./met.ts";
import { StepGroup, type StepGroupSettings } from "./step-group.ts";
import { sizesRefusal } from "./watched-engine.ts";

const dtypeNames = Object.keys(dtypes) as DType[];

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
  readonly #met = new Met();
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

  /**
   * A call of a script's: done now, in full; its promise gives way to output and timers where that is due. What this rank
   * brings is made first: where that fails, the others are told, who would take the next call for this one.
   */
  #call<B, T>(meeting: Meeting & Action, bring: () => B, work: (brought: B) => T): Promise<T> {
    refuseWhileRecording("a call of a group");
    this.#engine.note(meeting, 0);
    return yielding(() => {
      const brought = bringing(this.#engine, bring);
      return withOthers(this.#engine, meeting, () => work(brought));
    });
  }

  sum<A extends TypedArray>(values: A): Promise<A> {
    const bring = () => {
      const dtype = dtypeOf(values);
      if (dtype === null)
        throw new ArgumentError(
          "sum(): takes a Float32Array, Float64Array, Int32Array, Int8Array or Uint8Array; of a tensor its await t.data()",
        );
      return { dtype, bytes: withWord(dtypeNames.indexOf(dtype), bytesOf(values)) };
    };
    return this.#call("sum()", bring, ({ dtype, bytes }) => {
      const all = this.#engine.gather("sum()", bytes);
      const given = all.map((each) => dtypeNames[wordOf(each)]!);
      if (given.some((other) => other !== dtype))
        throw new GroupError(
          `A sum over ranks takes elements of one dtype: ${given.map((each, rank) => `rank ${rank} gives ${each}`).join(", ")}. Nothing was summed.`,
        );
      const arrays = all.map((each) => arrayOf(dtype, restOf(each)));
      if (arrays.some(({ length }) => length !== values.length))
        throw sizesRefusal(arrays.map(({ length }) => length));
      const total = values.slice() as A;
      sumInOrder(arrays, total, dtype);
      return total;
    });
  }

  broadcast<T>(value: T, from = 0): Promise<T> {
    const bring = () => {
      requireRank("broadcast", from, this.size);
      return withWord(from, from === this.rank ? encoded("broadcast", value) : new Uint8Array(0));
    };
    return this.#call("broadcast()", bring, (bytes) => {
      const all = this.#engine.gather("broadcast()", bytes);
      if (all.some((each) => wordOf(each) !== from))
        throw new GroupError(
          `A broadcast is from one rank: ${all.map((each, rank) => `rank ${rank} takes it from ${wordOf(each)}`).join(", ")}. All ranks must name the same.`,
        );
      return codec().deserialize(restOf(all[from]!)) as T;
    });
  }

  gather<T>(value: T): Promise<T[]> {
    const bring = () => encoded("gather", value);
    return this.#call("gather()", bring, (bytes) => {
      const all = this.#engine.gather("gather()", bytes);
      return all.map((each) => codec().deserialize(each) as T);
    });
  }

  barrier(): Promise<void> {
    const nothing = new Uint8Array(0);
    return this.#call(
      "barrier()",
      () => nothing,
      () => void this.#engine.gather("barrier()", nothing),
    );
  }

  abort(message: string): never {
    this.#engine.abort(message);
    throw new RankError(message, { rank: this.rank });
  }

  forStep(settings: StepGroupSettings): StepGroup {
    return new StepGroup(this.#engine, ++this.#steps, settings, this.#met);
  }

  forCheckpoint(): Meet {
    refuseWhileRecording("a checkpoint of a group");
    return (text) => {
      this.#engine.note("a checkpoint", 0);
      return withOthers(this.#engine, "a checkpoint", () => gatherTexts(this.#engine, "a checkpoint", text));
    };
  }
}

/** What a rank brings to a call; where it has nothing, because that is refused, all ranks throw. */
function bringing<B>(engine: Engine, bring: () => B): B {
  try {
    return bring();
  } catch (error) {
    engine.interrupt(interruptions.failed);
    failedRanks(engine, errorText(error));
    throw error;
  }
}

/** Bytes before those that a rank brings: a word, and as much again, so that elements of 8 bytes lie where they must. */
const wordBytes = 8;

/** Bytes with a number before them, which ranks must have alike. */
function withWord(word: number, bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(wordBytes + bytes.length);
  new DataView(all.buffer).setInt32(0, word);
  all.set(bytes, wordBytes);
  return all;
}

const wordOf = ({ buffer, byteOffset }: Uint8Array): number => new DataView(buffer, byteOffset).getInt32(0);
const restOf = (bytes: Uint8Array): Uint8Array => bytes.subarray(wordBytes);
