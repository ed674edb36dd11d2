import { isFloat } from "../base/dtype.ts";
import { CaptureError } from "../base/errors.ts";
import { originOf } from "../ir/origin.ts";
import { callSiteOf } from "./call-site.ts";
import { type Head, sameForm } from "./head.ts";
import type { Signature } from "./signature.ts";

/**
 * In which way a function does something else than what was recorded of it, in words; `constants` are the nodes of those
 * that it has now. Throws `CaptureError` where it computes in another dtype because of a number.
 */
export function driftOf(before: Head, now: Head, constants: Signature["constants"]): string {
  const at = (i: number): string => {
    const origin = originOf(constants[i]!);
    const place = origin === undefined ? null : callSiteOf(origin.stack.stack ?? "").place;
    return place === null ? "" : ` at ${place}`;
  };
  const changed = now.constants.findIndex(({ value }, i) => !Object.is(value, before.constants[i]?.value));
  const [was, is] = [before.constants[changed], now.constants[changed]];
  if (sameForm(before, now))
    return changed < 0
      ? "It uses other parameters, buffers or data"
      : `A number it closes over has changed: ${was!.value} became ${is!.value}${at(changed)}`;
  if (was !== undefined && before.constants.length === now.constants.length) {
    const [float, integer] = isFloat(is!.dtype) ? [is!.dtype, was.dtype] : [was.dtype, is!.dtype];
    if (!isFloat(integer) && isFloat(float))
      throw new CaptureError(
        `capture: a number${at(changed)} was ${was.value} when this call was recorded and is ${is!.value} now, so that ` +
          `what is computed with it would be ${is!.dtype} where it was ${was.dtype}. Cast the tensor that it meets, ` +
          `with to("${float}"), so that its dtype does not depend on the number.`,
      );
  }
  return "It does other operations";
}
