import type { Kernel } from "../plan/kernel.ts";

const keys = new WeakMap<Kernel, Map<string, string>>();

/**
 * By what the code of a kernel in some form is known. It is one text for each, as these are long: what looks one up a
 * thousand times a plan would else put it together, and hash it, as often.
 */
export function codeKey(kernel: Kernel, form: string): string {
  let ofKernel = keys.get(kernel);
  if (ofKernel === undefined) keys.set(kernel, (ofKernel = new Map()));
  let key = ofKernel.get(form);
  if (key === undefined) ofKernel.set(form, (key = `${form} ${kernel.key}`));
  return key;
}
