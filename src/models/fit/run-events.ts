import type { EpochRecord } from "./fit-result.ts";

/** What those who are told of a training may do. */
interface RunEvent {
  /** Ends the training here: the epoch is measured as far as it has come, and what is kept is saved. */
  stop(): void;
}

/** An update that has been made. */
export interface StepEvent extends RunEvent {
  /** Counted from 1. */
  readonly step: number;
  /** How many there will be, unless it ends before. */
  readonly steps: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** The mean of the loss over the update's labels. */
  readonly loss: number;
  /** The rates that it was made with, of each entry of `FitResult.rates`. */
  readonly lr: readonly number[];
}

/** An epoch that is over. */
export interface EpochEvent extends RunEvent, EpochRecord {}
