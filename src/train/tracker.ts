import { bitCount } from "../base/bit-count.ts";
import { bytesOf, dtypes } from "../base/dtype.ts";
import { equalBytes } from "../base/equal-bytes.ts";
import type { StateContext, Stateful } from "../base/stateful.ts";
import { stateEpoch, structureEpoch } from "../engine/cell.ts";
import { commit } from "../engine/realize.ts";
import type { Storage } from "../engine/storage.ts";
import { currentTrace } from "../engine/trace.ts";
import type { Module } from "../nn/module.ts";
import type { Regions } from "../optim/accumulate.ts";
import { nextUpdate, noteUpdates, type Updates } from "../optim/updates.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { copyInto, copyOf, eachPiece, hashOf, wholeOf } from "../tensor/pieces.ts";
import { minus, type Region, union } from "../tensor/region.ts";
import { frozenOf } from "./frozen.ts";
import { type ParameterReport, Report } from "./report.ts";
import { movement, type Start, sketchOf, sketchSize } from "./start.ts";
import { type LoadedReport, loadedReport, type ReportStateDict, reportState } from "./tracker-state.ts";

/** Elements up to which copies of a whole network are kept unasked. */
const copiedUnasked = 131_072;

/** Of larger ones, what of their memory copies of what is trained may take, and how much they may in any case. */
const copiedShare = 1 / 32;
const copiedAnyway = 2 ** 20;

/**
 * What reading may take, of what is frozen for the first time and of what has been before: so many milliseconds in any
 * case, and a share of the time that has passed since. Programs that freeze once and thaw once are read in full, and a
 * loop in which parameters change sides at every step does not notice it.
 */
const mayTake = { first: { anyway: 250, share: 0.02 }, again: { anyway: 1, share: 0.002 } };

/**
 * What is frozen, as it was when that began: the bytes themselves, or the hash of them. Where frozen sets change so often
 * that either would take too long: which value it was, which tells only whether thaw has written another one.
 */
type Held =
  | { readonly bytes: Uint8Array }
  | { readonly hash: string }
  | { readonly storage: Storage; readonly version: number };

/** What is known of the times that a parameter was frozen. */
interface Known {
  /** Bits that differed at their ends; null: some, nobody knows how many. */
  readonly bits: number | null;
  /** Of how many of them the bits were not compared, and thaw has not written to it. */
  readonly unread: number;
  /** Of how many of them the bits were not compared, and thaw has written to it. */
  readonly written: number;
}

const nothingChanged: Known = { bits: 0, unread: 0, written: 0 };

interface Record {
  timesStepped: number;
  readonly trainedBy: Set<string>;
  /** What it was where a step has trained it, each part as it was before its first step. */
  starts: Start[];
  /** All of these parts. */
  begun: Region | null | "none";
  /** Whether it was trained before anybody looked, so that nobody knows where it began. */
  lost: boolean;
  /** What of it is frozen (null: all of it); undefined before the first call. */
  frozen: Region | null | "none" | undefined;
  everFrozen: boolean;
  held: Held | null;
  /** Of all times that it was frozen before. */
  known: Known;
}

/**
 * Keeps count of what each parameter of a module goes through. What is frozen is copied or hashed when that begins, and
 * compared when it ends and is asked for, and never at a step, unless each changes what is frozen: then in a share of
 * the time. What is trained is copied before its first step, or sketched where copies would take too much memory. Of a
 * small network, or where that is asked for, there are copies of everything.
 */
export class Tracker implements Stateful<ReportStateDict>, Updates {
  readonly #module: Module;
  /** Whether anything is compared at all, and whether by copies of everything. */
  readonly #compares: boolean;
  readonly #copies: boolean;
  /** Whether what is frozen is compared each time, however long that takes. */
  readonly #always: boolean;
  /** Bytes that copies may take, and those that further ones may. */
  readonly #allowance: number;
  #budget: number;
  readonly #records = new Map<Parameter, Record>();
  #last: Regions | null = null;
  #epoch = -1;
  #structure = -1;
  at = 0;
  readonly #began = performance.now();
  /** Milliseconds that reading has taken. */
  readonly #spent = { first: 0, again: 0 };
  /** What of each parameter is frozen in calls that train these, as long as nothing else changes. */
  #frozen = new WeakMap<Regions, readonly (Region | null | "none")[]>();

  /** `copies`: of everything; false: nothing is compared, only counted; undefined: by how much there is. */
  constructor(module: Module, copies: boolean | undefined) {
    this.#module = module;
    const parameters = module.parameters();
    this.#compares = copies ?? true;
    this.#always = copies ?? false;
    this.#copies = copies ?? parameters.reduce((sum, p) => sum + p.numel, 0) <= copiedUnasked;
    const bytes = parameters.reduce((sum, p) => sum + p.numel * dtypes[p.dtype].bytes, 0);
    this.#allowance = this.#copies ? Number.POSITIVE_INFINITY : Math.max(copiedAnyway, bytes * copiedShare);
    this.#budget = this.#allowance;
    for (const p of parameters) this.#recordOf(p);
    noteUpdates(this);
  }

  leftOut(): [Parameter, Region | null | "none"][] {
    return this.#module.parameters().map((p) => [p, frozenOf(p, this.#last ?? new Map())]);
  }

  #recordOf(p: Parameter): Record {
    let record = this.#records.get(p);
    if (record === undefined) {
      record = {
        timesStepped: 0,
        trainedBy: new Set(),
        starts: [],
        begun: "none",
        lost: false,
        frozen: undefined,
        everFrozen: false,
        held: null,
        known: nothingChanged,
      };
      this.#records.set(p, record);
      if (this.#copies) this.#begin(p, record, null);
    }
    return record;
  }

  /** Keeps what is about to be trained, as far as it was not before. */
  #begin(p: Parameter, record: Record, region: Region | null): void {
    const { begun } = record;
    const fresh = begun === "none" ? region : minus(region, begun);
    if (fresh === "none") return;
    const storage = storageOf(p);
    const bytes = (fresh?.numel ?? p.numel) * dtypes[p.dtype].bytes;
    record.starts.push(
      bytes <= sketchSize * 8 || this.#takes(bytes)
        ? { region: fresh, elements: copyOf(storage, fresh), dtype: storage.dtype }
        : { region: fresh, sketch: sketchOf(storage, fresh) },
    );
    record.begun = begun === "none" ? region : union(begun, region);
  }

  /** Whether so many bytes may be copied, which are then taken. */
  #takes(bytes: number): boolean {
    if (bytes > this.#budget) return false;
    this.#budget -= bytes;
    return true;
  }

  /** Keeps what is from now on frozen, where it was kept before if it was: a hash of what was never trained. */
  #hold(p: Parameter, record: Record, region: Region | null, hasTime: boolean): void {
    const storage = storageOf(p);
    // A part is written together with the rest of its parameter, which says nothing of the part.
    if (!hasTime && region === null) {
      record.held = { storage, version: storage.version };
      return;
    }
    const bytes = (region?.numel ?? p.numel) * dtypes[p.dtype].bytes;
    const { held } = record;
    if (held !== null && "bytes" in held && held.bytes.length === bytes)
      copyInto(held.bytes, storage, region);
    else
      record.held =
        this.#copies || (record.timesStepped > 0 && this.#takes(bytes))
          ? { bytes: bytesOf(copyOf(storage, region)) }
          : { hash: hashOf(storage, region) };
  }

  /** Says what the next call trains, before it does: what was frozen until now is compared, what is from now on kept. */
  beforeCall(trained: Regions): void {
    if (trained === this.#last && stateEpoch() === this.#epoch) return;
    this.#last = trained;
    if (!this.#compares) return;
    if (stateEpoch() !== this.#epoch) this.#frozen = new WeakMap();
    this.#epoch = stateEpoch();
    if (structureEpoch() !== this.#structure) {
      for (const p of this.#module.parameters()) this.#recordOf(p);
      this.#structure = structureEpoch();
    }
    let all = this.#frozen.get(trained);
    if (all === undefined || all.length !== this.#records.size)
      this.#frozen.set(trained, (all = [...this.#records.keys()].map((p) => frozenOf(p, trained))));
    // What copies are kept of unasked is read sooner than the clock has been looked at twice.
    const isTimed = !this.#always && !this.#copies;
    let at = 0;
    for (const [p, record] of this.#records) {
      const frozen = all[at++]!;
      if (record.frozen === frozen && !isUnread(record)) continue;
      const kind = record.everFrozen ? "again" : "first";
      const start = isTimed ? performance.now() : 0;
      const hasTime = !isTimed || this.#hasTime(kind, start);
      // What stays frozen without having been read is so as soon as there is time.
      if (record.frozen === frozen && !hasTime) continue;
      record.known = knownOf(p, record);
      record.frozen = frozen;
      if (frozen !== "none") {
        record.everFrozen = true;
        this.#hold(p, record, frozen, hasTime);
      }
      if (frozen !== null) this.#begin(p, record, frozen === "none" ? null : frozen.complement());
      if (isTimed) this.#spent[kind] += performance.now() - start;
    }
  }

  /** Whether reading has taken less than it may. */
  #hasTime(kind: "first" | "again", now: number): boolean {
    const { anyway, share } = mayTake[kind];
    return this.#spent[kind] < anyway + share * (now - this.#began);
  }

  /** Counts what a call has updated. */
  afterCall(stepped: readonly Parameter[], task: string): void {
    if (stepped.length > 0) this.at = nextUpdate();
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
        const { timesStepped: steps, trainedBy, everFrozen, starts, lost } = record;
        const { bits: bitsChanged, ...times } = knownOf(p, record);
        const counted = { steps, tasks: [...trainedBy], bitsChanged, ...times, everFrozen };
        return [path, reportState(p, counted, this.#compares && !lost ? starts : null)];
      }),
    );
  }

  loadStateDict(state: ReportStateDict): void {
    this.prepareLoad(state)();
  }

  /** Checks what `loadStateDict` takes; gives what puts it in place, which cannot fail. */
  prepareLoad(given: ReportStateDict, context: StateContext = {}): () => void {
    const loaded = loadedReport(given, this.#module, context);
    return () => {
      this.#last = null;
      this.at = 0;
      this.#records.clear();
      this.#frozen = new WeakMap();
      this.#budget = this.#allowance;
      for (const [p, of] of loaded) {
        const record = this.#recordOf(p);
        if (of !== null) this.#restore(p, record, of);
      }
    };
  }

  #restore(p: Parameter, record: Record, { steps, tasks, known, everFrozen, starts }: LoadedReport): void {
    Object.assign(record, { timesStepped: steps, trainedBy: new Set(tasks), known, everFrozen });
    if (!this.#compares) return;
    record.lost = starts === null && steps > 0;
    if (starts === null || starts.length === 0) return;
    record.starts = [...starts];
    record.begun = starts.map(({ region }) => region).reduce(union);
    for (const start of starts) if ("elements" in start) this.#takes(start.elements.byteLength);
    // Where copies are kept of everything, a part that was not trained begins now.
    if (this.#copies) this.#begin(p, record, null);
  }

  /** All parameters of the module, in its order. */
  report(): Report {
    return new Report(
      this.#module.namedParameters().map(([path, p]): ParameterReport => {
        const record = this.#recordOf(p);
        const { timesStepped, trainedBy, everFrozen, frozen } = record;
        const known = knownOf(p, record);
        const compared = this.#compares;
        // From now on what it is is known, and the next report can tell.
        if (isUnread(record)) {
          record.known = known;
          this.#hold(p, record, frozen as Region | null, true);
        }
        return {
          path,
          trainedBy: [...trainedBy],
          timesStepped,
          moved: compared ? movementOf(p, record, known) : null,
          whileFrozen: compared && everFrozen ? wordFor(known) : null,
          bitsChangedWhileFrozen: compared && known.written === 0 ? known.bits : null,
          timesNotCompared: compared ? known.unread + known.written : 0,
        };
      }),
    );
  }
}

/** Where a parameter's value is, once the step that is waiting to write it, if one is, has been carried out. */
function storageOf({ resident }: Parameter): Storage {
  if (currentTrace().writes.has(resident)) commit();
  return resident.storage;
}

function movementOf(p: Parameter, { starts, begun, lost }: Record, { bits, unread, written }: Known) {
  // What is no part of a start has not moved, unless it has changed while it was frozen, or may have.
  const isKnown = (bits === 0 && unread === 0 && written === 0) || begun === null;
  return lost || !isKnown ? null : movement(storageOf(p), starts);
}

const wordFor = ({ bits, written }: Known) =>
  bits !== 0 ? "changed" : written > 0 ? "written" : "unchanged";

/** Whether it is frozen, and nobody has read what it is. */
const isUnread = ({ frozen, held }: Record): boolean =>
  frozen !== "none" && frozen !== undefined && held !== null && "version" in held;

/** What is known of the times that it was frozen, with the present one up to now. */
function knownOf(p: Parameter, { frozen, held, known }: Record): Known {
  if (frozen === "none" || frozen === undefined || held === null) return known;
  const storage = storageOf(p);
  if ("version" in held)
    return storage === held.storage && storage.version === held.version
      ? { ...known, unread: known.unread + 1 }
      : { ...known, written: known.written + 1 };
  const { bits } = known;
  if (bits === null) return known;
  if ("bytes" in held) {
    const differing = differingBits(storage, frozen, held.bytes);
    return differing === 0 ? known : { ...known, bits: bits + differing };
  }
  return hashOf(storage, frozen) === held.hash ? known : { ...known, bits: null };
}

function differingBits(storage: Storage, region: Region | null, before: Uint8Array): number {
  const whole = region === null ? wholeOf(storage) : null;
  if (whole !== null && equalBytes(before, whole)) return 0;
  let [bits, from] = [0, 0];
  eachPiece(storage, region, (piece) => {
    const was = piece.length === before.length ? before : before.subarray(from, from + piece.length);
    if (!equalBytes(was, piece)) for (let i = 0; i < piece.length; i++) bits += bitCount(was[i]! ^ piece[i]!);
    from += piece.length;
  });
  return bits;
}
