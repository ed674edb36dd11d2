import { ArgumentError } from "../../base/errors.ts";
import { defaultEpochs } from "../../models/fit/fit-options.ts";
import { gradualUnfreezing } from "../../models/fit/phases/gradual-unfreezing.ts";
import { linearProbeThenFinetune } from "../../models/fit/phases/linear-probe-then-finetune.ts";
import type { Phase } from "../../models/fit/phases/phase.ts";
import type { Rates } from "../../models/fit/rates.ts";
import type { PretrainedModel } from "../../models/pretrained-model.ts";
import type { FinetuneOptions } from "./options.ts";

/** Throws `ArgumentError` for options of which only one can say what is trained when. */
export function checkSchedule({ gradualUnfreezing, headFirst, trains, lora, steps }: FinetuneOptions): void {
  const given = Object.entries({
    "--trains": trains,
    "--lora": lora,
    "--gradual-unfreezing": gradualUnfreezing,
    "--head-first": headFirst,
  }).filter(([, value]) => value !== undefined);
  const schedule = given.find(([name]) => name === "--gradual-unfreezing" || name === "--head-first");
  if (schedule === undefined) return;
  const other = given.find(([name]) => name !== schedule[0]);
  if (other !== undefined)
    throw new ArgumentError(
      `${other[0]} and ${schedule[0]} are both given, and each says what is trained; give one of them`,
    );
  if (steps !== undefined)
    throw new ArgumentError(`${schedule[0]} counts epochs, and --steps is given; give --epochs`);
}

/** The phases that options ask for; null: none. */
export function phasesOf(
  model: PretrainedModel,
  { gradualUnfreezing: perEpoch, headFirst, epochs = defaultEpochs }: FinetuneOptions,
  lr: Rates | undefined,
): readonly Phase[] | null {
  if (headFirst !== undefined) {
    if (headFirst >= epochs)
      throw new ArgumentError(
        `--head-first is ${headFirst}, and there are ${epochs} epochs; train for longer, or let the head be first for less`,
      );
    return linearProbeThenFinetune(model, { probeEpochs: headFirst });
  }
  if (perEpoch === undefined) return null;
  if (lr !== undefined && typeof lr !== "number")
    throw new ArgumentError(
      "--gradual-unfreezing has rates of its own, the lower a layer the smaller; give --lr one number, which is the top layer's, or leave it out",
    );
  const phases = gradualUnfreezing(model, {
    ...(perEpoch === true ? {} : { perEpoch }),
    ...(lr === undefined ? {} : { lr }),
  });
  // Layers whose turn would come later stay frozen.
  return phases.filter((_, i) => i < epochs);
}
