import type { DType } from "../../../base/dtype.ts";
import { Hash } from "../../../base/hash.ts";
import { idOf } from "../../../base/identity.ts";
import { arithmetic } from "../../../checkpoint/arithmetic.ts";
import { bytesIn, computedStorage } from "../../../nn/bits.ts";
import { noGrad } from "../../../tensor/autograd.ts";
import { fromArray, tensor } from "../../../tensor/create.ts";
import type { Parameter } from "../../../tensor/parameter.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { belowCut } from "../../stages.ts";
import type { Encoded } from "../../text/text-tokenizer.ts";
import type { TextModel } from "../../text-model.ts";
import { chunks } from "../deal.ts";
import type { Rows } from "../rows.ts";
import type { TextBatches } from "../text-batches.ts";
import { type KeptFolder, openKept, writeKept } from "./kept-file.ts";
import { KeptStore } from "./kept-store.ts";

/** What is kept of some rows. */
interface KeptRows {
  readonly rows: readonly Encoded[];
  /** The key of the first of them in the store. */
  readonly first: number;
  /** Rows that go through the stages together, and the number of those of each row. */
  readonly groups: readonly (readonly number[])[];
  readonly groupOf: readonly number[];
  /** How many of them have not been run. */
  left: number;
  /** What a file of them is called; null: none is to be. */
  readonly key: string | null;
}

/** Changes when what is in a file of kept rows would be another one. */
const fileVersion = 1;

/**
 * What the lowest stages of a model give for each row, computed once. Rows always go through them in the same company, of
 * like lengths, whatever batches they are in: what they give does not depend on where a training is gone on from.
 */
export class KeptPrefix {
  /** How many stages are run once. */
  readonly cut: number;
  /** The dtype of what they give. */
  readonly dtype: DType;
  readonly #model: TextModel<Tensor>;
  readonly #parameters: readonly Parameter[];
  readonly #batches: TextBatches;
  readonly #batch: number;
  readonly #store: KeptStore;
  readonly #known = new Map<Rows<Encoded>, KeptRows>();
  #count = 0;
  /** The shape of what they give for one token, and whether that is of each token. */
  #size = 0;
  #isOfTokens = false;
  #hash: string | null = null;
  #written = "";
  readonly #folder: KeptFolder | null;
  /** How many rows another process had run. */
  rowsFound = 0;
  /** Why what is kept is in no file that another process may read; null where it is, or nobody has tried yet. */
  whyNotFiled: string | null = null;

  constructor(
    model: TextModel<Tensor>,
    cut: number,
    parameters: readonly Parameter[],
    {
      dtype,
      batches,
      batch,
      memory,
      temporary,
      folder,
    }: {
      dtype: DType;
      batches: TextBatches;
      batch: number;
      memory: number;
      /** For what memory has no room for; null: where the system has such files. */
      temporary: string | null;
      /** For what other processes may find; null: nothing. */
      folder: KeptFolder | null;
    },
  ) {
    this.#model = model;
    this.cut = cut;
    this.dtype = dtype;
    this.#parameters = parameters;
    this.#batches = batches;
    this.#batch = batch;
    this.#store = new KeptStore(memory, temporary);
    this.#folder = folder;
  }

  get bytes(): number {
    return this.#store.bytes;
  }
  get bytesInFile(): number {
    return this.#store.bytesInFile;
  }

  rowOf<R extends Encoded>(rows: Rows<R>, place: number): R {
    return this.#of(rows).rows[place] as R;
  }

  #of(rows: Rows<Encoded>): KeptRows {
    let known = this.#known.get(rows);
    if (known === undefined) {
      const all = Array.from({ length: rows.length }, (_, i) => rows.row(i));
      const order = Array.from(all.keys()).sort((a, b) => all[a]!.ids.length - all[b]!.ids.length);
      const groups = chunks(order, this.#batch);
      const groupOf = Array<number>(all.length);
      for (const [i, group] of groups.entries()) for (const place of group) groupOf[place] = i;
      known = { rows: all, first: this.#count, groups, groupOf, left: all.length, key: this.#keyOf(all) };
      this.#count += all.length;
      this.#known.set(rows, known);
      this.#find(known);
    }
    return known;
  }

  /** What tells rows, and all that the stages give of them, from others; null where there is no folder. */
  #keyOf(rows: readonly Encoded[]): string | null {
    if (this.#folder === null) return null;
    if (this.#hash === null) this.check();
    const { architecture, config, tokenizer } = this.#model;
    const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
    const padding = this.#batches.lengthOf(rows.slice(0, 1));
    const about = [
      fileVersion,
      arithmetic(),
      architecture,
      config,
      this.cut,
      this.dtype,
      this.#batch,
      padding,
    ];
    const hash = new Hash().add(text([this.#hash, ...about, tokenizer?.settings ?? null]));
    for (const { ids, typeIds } of rows) hash.add(text([ids, typeIds]));
    return hash.text;
  }

  /** Takes what another process has kept of rows. */
  #find(known: KeptRows): void {
    const { rows, first, key } = known;
    if (key === null) return;
    const file = openKept(
      this.#folder!,
      key,
      rows.map(({ ids }) => ids.length),
    );
    if (file === null) return;
    this.#size = file.size;
    this.#isOfTokens = file.isOfTokens;
    for (const [i, place] of file.places.entries()) this.#store.take(first + i, file.reader, place);
    this.rowsFound += rows.length;
    known.left = 0;
  }

  /** Leaves what is kept of rows to other processes, once there is all of it. */
  #file({ rows, first, key, left }: KeptRows): void {
    if (key === null || left > 0) return;
    const about = { size: this.#size, isOfTokens: this.#isOfTokens };
    const lengths = rows.map(({ ids }) => ids.length);
    this.whyNotFiled = writeKept(this.#folder!, key, about, lengths, (i) => this.#store.get(first + i));
  }

  /** What the stages above take: what was kept of rows, padded to a length, and which of it is no padding. */
  async inputsOf(rows: Rows<Encoded>, places: readonly number[], length: number): Promise<Tensor[]> {
    const known = this.#of(rows);
    const { rows: all, first, groups, groupOf } = known;
    const missing = new Set(
      places.filter((place) => !this.#store.has(first + place)).map((place) => groupOf[place]!),
    );
    for (const group of missing) await this.#run(known, groups[group]!);
    if (missing.size > 0) this.#file(known);
    const values = places.map((place) => this.#store.get(first + place));
    const size = this.#size;
    if (!this.#isOfTokens) {
      const joined = new Float32Array(places.length * size);
      for (const [i, row] of values.entries()) joined.set(row, i * size);
      return [fromArray(joined, [places.length, size])];
    }
    const joined = new Float32Array(places.length * length * size);
    for (const [i, row] of values.entries()) joined.set(row, i * length * size);
    const mask = places.map((place) =>
      Array.from({ length }, (_, at) => (at < all[place]!.ids.length ? 1 : 0)),
    );
    return [fromArray(joined, [places.length, length, size]), tensor(mask, { dtype: "i32" })];
  }

  /** Runs rows through the stages, and keeps what they give without padding. */
  async #run(known: KeptRows, group: readonly number[]): Promise<void> {
    const { rows: all, first } = known;
    const tokens = this.#batches.batch(group.map((place) => all[place]!));
    const given = noGrad(() => belowCut(this.#model, this.cut, tokens));
    this.#size = given.shape.at(-1)!;
    this.#isOfTokens = given.ndim === 3;
    const values = (await given.to("f32").data()) as Float32Array;
    const stride = values.length / group.length;
    for (const [i, place] of group.entries()) {
      const count = this.#isOfTokens ? all[place]!.ids.length * this.#size : stride;
      this.#store.put(first + place, values.subarray(i * stride, i * stride + count));
    }
    known.left -= group.length;
  }

  /** Forgets what was kept where the weights of the stages are not those any more that it was computed with. */
  check(): void {
    if (this.#versions() === this.#written) return;
    const hash = new Hash();
    for (const parameter of this.#parameters) for (const bytes of bytesIn(parameter, "fit")) hash.add(bytes);
    // Averages that stood in their place for a while have left the bits that there were.
    if (this.#hash !== null && hash.text !== this.#hash) this.clear();
    this.#hash = hash.text;
    this.#written = this.#versions();
  }

  /** A text that is another one once any of the weights has been written to. */
  #versions(): string {
    const stored = this.#parameters.map((parameter) => computedStorage(parameter, "fit"));
    return stored.map((storage) => `${idOf(storage)}:${storage.version}`).join();
  }

  /** Forgets all. */
  clear(): void {
    this.#store.clear();
    this.#known.clear();
    this.#count = 0;
  }
}
