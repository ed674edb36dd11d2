import { isFloat } from "../base/dtype.ts";
import { CaptureError } from "../base/errors.ts";
import { originOf } from "../ir/origin.ts";
import { callSiteOf } from "./call-site.ts";
import { type Head, sameForm, sameResult, sameTracked } from "./head.ts";
import type { Signature } from "./signature.ts";

/** In which way a function does something else than what was recorded of it. */
export interface Drift {
  /** Which of its constants it is; -1: none, or not that alone. */
  readonly constant: number;
  /** In words, with where the constant comes from. */
  readonly text: (place: string) => string;
}

type Constants = Signature["constants"];

/** Where in the user's code a constant comes from, as ` at file:line:column`; "" where that was not noted. */
export function placeOf(constants: Constants, i: number): string {
  const origin = i < 0 || constants[i] === undefined ? undefined : originOf(constants[i]);
  const place = origin === undefined ? null : callSiteOf(origin.stack.stack ?? "").place;
  return place === null ? "" : ` at ${place}`;
}

/**
 * In which way a function has come to do something else; `constants` are the nodes of those that it has now. Throws
 * `CaptureError` where it computes in another dtype because of a number.
 */
export function driftOf(before: Head, now: Head, constants: Constants): Drift {
  const changed = now.constants.findIndex(({ value }, i) => !Object.is(value, before.constants[i]?.value));
  const [was, is] = [before.constants[changed], now.constants[changed]];
  if (sameForm(before, now))
    return changed < 0
      ? { constant: -1, text: () => inOtherWays(before, now) }
      : {
          constant: changed,
          text: (place) => `A number it closes over has changed: ${was!.value} became ${is!.value}${place}`,
        };
  if (was !== undefined && before.constants.length === now.constants.length) {
    const [float, integer] = isFloat(is!.dtype) ? [is!.dtype, was.dtype] : [was.dtype, is!.dtype];
    if (!isFloat(integer) && isFloat(float))
      throw new CaptureError(
        `capture: a number${placeOf(constants, changed)} was ${was.value} when this call was recorded and is ${is!.value} now, so that ` +
          `what is computed with it would be ${is!.dtype} where it was ${was.dtype}. Cast the tensor that it meets, ` +
          `with to("${float}"), so that its dtype does not depend on the number.`,
      );
  }
  return { constant: -1, text: () => "It does other operations" };
}

/** What differs between two heads of one form and the same constants. */
function inOtherWays(before: Head, now: Head): string {
  if (!sameTracked(before, now)) return "Gradients flow through other parts of it (noGrad() or requiresGrad)";
  if (!sameResult(before, now)) return "It gives other plain values, or the same under other names";
  return "It uses other parameters, buffers or data";
}
