import { ArgumentError } from "../../base/errors.ts";
import { scheduleOptions } from "./options.ts";
import { refuseParts } from "./parts.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

const isList = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((one) => one instanceof LRScheduler);

/** The optimizer of some schedules, and the schedules. */
type Given = readonly [optimizer: Schedulable, schedules: readonly LRScheduler[]];

/** What a chain is given, in PyTorch's order or in that of other schedules. */
function partsOf(first: unknown, options: Record<string, unknown> | undefined): Given {
  if (Array.isArray(first)) {
    if (!isList(first))
      throw new ArgumentError(
        `ChainedScheduler: an array of ${first.length} things that are not all schedules; give at least one, and schedules only`,
      );
    const checks = { optimizer: () => null };
    const { optimizer } = scheduleOptions("ChainedScheduler", options, checks, {
      optimizer: first[0]!.optimizer,
    });
    return [optimizer as Schedulable, first as LRScheduler[]];
  }
  const checks = {
    schedules: (value: unknown) => (isList(value) ? null : "an array of at least one schedule"),
  };
  const { schedules } = scheduleOptions("ChainedScheduler", options, checks as never, {});
  return [first as Schedulable, schedules as readonly LRScheduler[]];
}

/**
 * Several schedules stepped together, in order, each changing the rate that the one before has left:
 * `new ChainedScheduler([warm, decay])`, or `new ChainedScheduler(optimizer, { schedules: [warm, decay] })`.
 */
export class ChainedScheduler extends LRScheduler {
  readonly #schedules: readonly LRScheduler[];

  constructor(schedules: readonly LRScheduler[], options?: { optimizer?: Schedulable });
  constructor(optimizer: Schedulable, options: { schedules: readonly LRScheduler[] });
  constructor(first: readonly LRScheduler[] | Schedulable, options?: object) {
    const [optimizer, schedules] = partsOf(first, options as Record<string, unknown> | undefined);
    super(optimizer);
    refuseParts("ChainedScheduler", optimizer, schedules);
    this.#schedules = [...schedules];
    this.steerFromHere(
      this.partsArePlaced,
      "make the parts of ChainedScheduler with lastEpoch: n - 1, where they had taken n steps, or with lastEpoch: -1 to begin anew on purpose",
    );
  }

  override get name(): string {
    return "ChainedScheduler";
  }

  protected override get parts(): readonly LRScheduler[] {
    return this.#schedules;
  }

  /** As PyTorch's, the first part of a sequence takes a step where that starts. */
  override start(): void {
    this.advance();
  }

  override retreat(): void {
    this.lastEpoch--;
    for (const schedule of this.#schedules) schedule.retreat();
  }

  override advance(): void {
    this.lastEpoch++;
    for (const schedule of this.#schedules) schedule.advance();
    this.noteRates();
  }

  protected override next(group: { lr: number }): number {
    return group.lr;
  }
}
