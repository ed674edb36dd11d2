import { ArgumentError } from "../../base/errors.ts";
import type { MomentumGroup } from "./rates.ts";
import type { Schedulable } from "./scheduler.ts";

/** Throws where an optimizer has no momentum, and no betas, that could be cycled. */
export function refuseWithoutMomentum(schedule: string, { paramGroups }: Schedulable): void {
  const without = (paramGroups as readonly MomentumGroup[]).findIndex(
    ({ momentum, betas }) => momentum === undefined && betas === undefined,
  );
  if (without >= 0)
    throw new ArgumentError(
      `${schedule}: cycleMomentum is true, and the optimizer has neither momentum nor betas; pass cycleMomentum: false`,
    );
}
