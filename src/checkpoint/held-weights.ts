import { CheckpointError } from "../base/errors.ts";
import { checksumOf } from "../base/storage/index.ts";
import type { Storage } from "../engine/storage.ts";
import { bytesIn, computedStorage } from "../nn/bits.ts";
import type { Stored } from "../tensor/stored.ts";
import { shown } from "./header-text.ts";
import type { BaseRecord } from "./record.ts";
import type { Outgoing } from "./write.ts";

/** A weight as it was at first. */
interface Held {
  readonly weight: Stored;
  readonly storage: Storage;
  readonly version: number;
  /** Computed when it is asked for first. */
  sum: string | null;
}

/**
 * Weights that whoever loads a checkpoint has in the module already, as they were when this was made: a base that is no
 * file. A checkpoint refers to those that nothing has been written to since, by a checksum; they are left as they are when
 * it is loaded, once they have been found to be the same.
 */
export class HeldWeights {
  readonly #held: ReadonlyMap<string, Held>;

  constructor(weights: Iterable<readonly [path: string, weight: Stored]>) {
    this.#held = new Map(
      [...weights].map(([path, weight]) => {
        const storage = computedStorage(weight, "save()");
        return [path, { weight, storage, version: storage.version, sum: null }];
      }),
    );
  }

  /** Those of some tensors that nothing has been written to. */
  referred(outgoing: readonly Outgoing[]): BaseRecord {
    const tensors: Record<string, string> = {};
    for (const { name, tensor } of outgoing) {
      const held = this.#held.get(name);
      if (held === undefined || held.weight !== tensor || isWritten(held)) continue;
      tensors[name] = sumOf(held);
    }
    return { name: null, tensors };
  }

  /** The weights that a checkpoint refers to. Throws `CheckpointError` where they are others than it was saved with. */
  found(from: string, { tensors }: BaseRecord): ReadonlySet<Stored> {
    return new Set(
      Object.entries(tensors).map(([name, sum]) => {
        const held = this.#held.get(name);
        const is = held === undefined || isWritten(held) ? null : sumOf(held);
        if (is === sum) return held!.weight;
        throw new CheckpointError(
          `${from} refers to weights that the module had when training began, and ${shown(name)} is another now: ${is === null ? "it has been written to since" : `its checksum is ${is}, and was ${sum}`}. Open the model again as it was opened then; nothing was loaded.`,
        );
      }),
    );
  }
}

/** Whether a weight is another than it was at first, or may be. */
const isWritten = ({ weight, storage, version }: Held): boolean => {
  const now = computedStorage(weight, "save()");
  return now !== storage || now.version !== version;
};

const sumOf = (held: Held): string => (held.sum ??= checksumOf(bytesIn(held.weight, "save()")));
