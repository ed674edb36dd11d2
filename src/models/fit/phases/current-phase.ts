import type { Tensor } from "../../../tensor/tensor.ts";
import type { Explanation } from "../../../train/explain.ts";
import type { TextModel } from "../../text-model.ts";
import type { Entry } from "../entry.ts";
import type { FitSettings } from "../fit-options.ts";
import { setModes } from "../frozen-mode.ts";
import type { Objective } from "../objectives/objective.ts";
import { KeptPrefix } from "../prefix/kept-prefix.ts";
import { modulesAt, prefixChoice } from "../prefix/prefix-choice.ts";
import { type PrefixCost, prefixCost, standInsFor, withRandomState } from "../prefix/prefix-cost.ts";
import type { PrefixRecord } from "../prefix/prefix-record.ts";
import type { RunLength } from "../run-length.ts";
import type { PhaseSpan } from "./phases.ts";

/** Bytes of memory, and of a folder, that may be taken unless something else is said. */
const [defaultMemory, defaultDisk] = [2 ** 30, 2 ** 33];

/** What a phase is entered with. */
interface PhaseParts {
  readonly model: TextModel<Tensor>;
  readonly objective: Objective;
  readonly entry: Entry;
  readonly settings: FitSettings;
  readonly length: RunLength;
  /** The folder of the training, for what memory has no room for; null: it has none. */
  readonly folder: string | null;
  /** Whether the training is one of several ranks, each of which keeps what it has seen. */
  readonly isShared: boolean;
  /** Says what a call of the step costs; null where ranks would have to agree on it. */
  readonly explain: ((...inputs: Tensor[]) => Explanation) | null;
}

/** The phase that a training is in: what is trained, in which modes, and what is kept of the stages below. */
export class CurrentPhase {
  readonly #parts: PhaseParts;
  #span: PhaseSpan | null = null;
  #kept: KeptPrefix | null = null;
  readonly #records: {
    of: Omit<PrefixRecord, "bytes" | "bytesInFile" | "rowsFound" | "whyNotFiled">;
    kept: KeptPrefix | null;
    counted: Pick<PrefixRecord, "bytes" | "bytesInFile" | "rowsFound" | "whyNotFiled">;
  }[] = [];

  constructor(parts: PhaseParts) {
    this.#parts = parts;
  }

  get span(): PhaseSpan {
    return this.#span!;
  }

  /** What was kept in each phase, or why nothing was. */
  get prefixes(): PrefixRecord[] {
    this.#count();
    return this.#records.map(({ of, counted }) => ({ ...of, ...counted }));
  }

  /** Enters a phase, and leaves the one before. */
  async enter(span: PhaseSpan): Promise<void> {
    const { model, objective, entry, settings, length } = this.#parts;
    this.leave();
    this.#span = span;
    setModes(model, span.trained, settings.frozenMode);
    const { trained } = span;
    const choice = prefixChoice(model, {
      keeps: settings.keepPrefix !== false,
      trained,
      notKept: objective.notKept,
      epochs: (span.end - span.begin) / length.firstOf(1),
    });
    const { cut, possible, why } = choice;
    const paths = model.stages().map((stage) => stage.paths);
    const upTo = paths.slice(0, cut || possible).findLast((own) => own.length > 0)?.[0] ?? null;
    const cost = cut > 0 || choice.couldBe ? await this.#costOf(cut || possible) : null;
    if (cut > 0) this.#kept = this.#keptUpTo(cut, cost!);
    this.#kept?.check();
    entry.kept = this.#kept;
    const { share, bytes: expectedBytes } = this.#saving(cost);
    const of = { phase: span.label, upTo, isKept: cut > 0, why, share, expectedBytes };
    const counted = { bytes: 0, bytesInFile: 0, rowsFound: 0, whyNotFiled: null };
    this.#records.push({ of, kept: this.#kept, counted });
  }

  #keptUpTo(cut: number, { dtype }: PrefixCost): KeptPrefix {
    const { model, entry, settings, folder, isShared } = this.#parts;
    const paths = model
      .stages()
      .slice(0, cut)
      .flatMap((stage) => stage.paths);
    const parameters = new Set(modulesAt(model, paths).flatMap((module) => module.parameters()));
    const { keepPrefix, batch } = settings;
    const given = typeof keepPrefix === "object" ? keepPrefix : {};
    const { memory = defaultMemory, disk = defaultDisk, folder: shared = folder } = given;
    return new KeptPrefix(model, cut, [...parameters], {
      dtype,
      batches: entry.batches,
      batch,
      memory,
      temporary: folder,
      folder: shared === null || isShared || disk === 0 ? null : { path: shared, limit: disk },
    });
  }

  /** What the first texts cost in the lowest stages, with the inputs that they are. */
  async #costOf(cut: number): Promise<PrefixCost & { inputs: readonly Tensor[] }> {
    const { model, objective, settings } = this.#parts;
    const indices = Array.from({ length: Math.min(settings.batch, objective.length) }, (_, i) => i);
    const { inputs } = await objective.batch(indices, 0);
    return { ...withRandomState(() => prefixCost(model, cut, inputs)), inputs };
  }

  /** What share of a step's work these stages are, and what keeping what they give takes. */
  #saving(
    cost: (PrefixCost & { inputs: readonly Tensor[] }) | null,
  ): Pick<PrefixRecord, "share"> & { bytes: number | null } {
    if (cost === null) return { share: null, bytes: null };
    const { objective, explain } = this.#parts;
    const { shape, flops, inputs } = cost;
    // As long as the first ones are, for which not all have to be made.
    const lengths = Array.from({ length: shape[0]! }, (_, i) => objective.lengthOf(i));
    const mean = lengths.reduce((sum, n) => sum + n) / lengths.length;
    const tokens = Math.round(objective.length * (shape.length === 3 ? mean : 1));
    const bytes = tokens * shape.at(-1)! * Float32Array.BYTES_PER_ELEMENT;
    if (explain === null) return { share: null, bytes };
    const own = this.#kept === null ? inputs : [...standInsFor(cost, inputs[1]!), inputs.at(-1)!];
    const step = withRandomState(() => explain(...own).cost.flops);
    return { share: flops / (this.#kept === null ? step : flops + step), bytes };
  }

  /** Forgets what is kept where it is not what the stages give any more. */
  check(): void {
    this.#kept?.check();
  }

  #count(): void {
    const last = this.#records.at(-1);
    if (last === undefined || last.kept === null) return;
    const { bytes, bytesInFile, rowsFound, whyNotFiled } = last.kept;
    last.counted = { bytes, bytesInFile, rowsFound, whyNotFiled };
  }

  /** Forgets all that is kept. */
  leave(): void {
    this.#count();
    const last = this.#records.at(-1);
    if (last !== undefined) last.kept = null;
    this.#kept?.clear();
    this.#kept = null;
    this.#parts.entry.kept = null;
  }
}
