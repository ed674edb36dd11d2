import { isFloat } from "../base/dtype.ts";
import { CaptureError } from "../base/errors.ts";
import { originOf } from "../ir/origin.ts";
import { callSiteOf } from "./call-site.ts";
import { sameSignature } from "./signature.ts";
import type { Holder } from "./trace.ts";
import type { Recorded, Variant } from "./variant.ts";

/**
 * In which way a function has come to do something else than what was recorded of it, in words; null: in none. Throws
 * `CaptureError` where that is another dtype because of a number.
 */
export function driftOf<T extends Holder>(
  before: Variant<T>,
  { signature, request, leaves }: Recorded<T>,
): string | null {
  const { numbers, constants, constantPlaces, storages } = signature;
  const at = (i: number): string => {
    const origin = originOf(constants[i]!);
    const place = origin === undefined ? null : callSiteOf(origin.stack.stack ?? "").place;
    return place === null ? "" : ` at ${place}`;
  };
  const values = constants.map(({ attrs }) => attrs.value);
  if (!sameSignature(before.numbers, numbers, new Set(constantPlaces))) {
    if (before.constants.length === constants.length)
      for (const [i, was] of before.constants.entries()) {
        const { dtype } = constants[i]!;
        if (isFloat(was.dtype) === isFloat(dtype) || Object.is(was.value, values[i])) continue;
        throw new CaptureError(
          `capture: a number${at(i)} was ${was.value} when this call was recorded and is ${values[i]} now, so that ` +
            `what is computed with it would be ${dtype} where it was ${was.dtype}. Cast the tensor that it meets, ` +
            `with to("${isFloat(dtype) ? dtype : was.dtype}"), so that its dtype does not depend on the number.`,
        );
      }
    return "It does other operations";
  }
  const changed = values.findIndex((value, i) => !Object.is(value, before.constants[i]!.value));
  if (changed >= 0)
    return `A number it closes over has changed: ${before.constants[changed]!.value} became ${values[changed]}${at(changed)}`;
  const own = storages.filter((s) => !leaves.includes(s));
  const same =
    own.every((s) => before.storages.includes(s) || !s.resident) &&
    request.writes.length === before.written.length &&
    request.writes.every(([resident], i) => resident === before.written[i]);
  return same ? null : "It uses other parameters or buffers";
}
