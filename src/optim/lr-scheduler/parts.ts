import { ArgumentError } from "../../base/errors.ts";
import { ReduceLROnPlateau } from "./plateau.ts";
import type { LRScheduler, Schedulable } from "./scheduler.ts";

/** Throws where schedules cannot be parts of one: of another optimizer, or in need of a metric at each step. */
export function refuseParts(schedule: string, optimizer: Schedulable, parts: readonly LRScheduler[]): void {
  const plateau = parts.findIndex((part) => part instanceof ReduceLROnPlateau);
  if (plateau >= 0)
    throw new ArgumentError(
      `${schedule}: schedule ${plateau} is a ReduceLROnPlateau, whose step takes a metric; step that one by itself`,
    );
  if (parts.some((part) => part.optimizer !== optimizer))
    throw new ArgumentError(`${schedule}: a schedule is of another optimizer; all must be of one`);
}
