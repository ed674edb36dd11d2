import type { EpochRecord } from "./fit-result.ts";
import type { PhaseRecord } from "./phases/phase.ts";

/** How far a training has come: what goes on from it does as if it had never ended. */
export class RunState {
  /** Updates that have been made. */
  step = 0;
  /** Epochs that are over. */
  epoch = 0;
  /** Updates of the epoch under way. */
  update = 0;
  /** The sum of the losses of that epoch, and of how much its labels count. */
  loss = 0;
  weight = 0;
  /** Whether it has ended before its time. */
  stopped = false;
  /** Lines that `metrics.jsonl` has. */
  lines = 0;
  history: EpochRecord[] = [];
  /** Phases that it has come to; the last is the one that it is in. */
  phases: PhaseRecord[] = [];
  /** What was measured before the first update. */
  before: EpochRecord["metrics"] = null;

  /** Counts an update of labels that count so much, whose mean loss was this. */
  updated(loss: number, weight: number): void {
    this.step++;
    this.update++;
    this.loss += loss * weight;
    this.weight += weight;
  }

  /** Counts an epoch that is measured. */
  ended(metrics: EpochRecord["metrics"]): EpochRecord {
    const record = { epoch: this.epoch + 1, step: this.step, trainLoss: this.loss / this.weight, metrics };
    this.history.push(record);
    this.epoch++;
    [this.update, this.loss, this.weight] = [0, 0, 0];
    return record;
  }

  /** What a checkpoint has of it. */
  stateDict() {
    const { step, epoch, update, loss, weight, stopped, lines, history, phases, before } = this;
    const lists = { history: [...history], phases: [...phases] };
    return { step, epoch, update, loss, weight, stopped, lines, ...lists, before };
  }

  loadStateDict(state: ReturnType<RunState["stateDict"]>): void {
    Object.assign(this, { ...state, history: [...state.history], phases: [...state.phases] });
  }
}
