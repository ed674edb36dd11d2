import { ArgumentError } from "../base/errors.ts";
import { Module } from "../nn/module.ts";
import { Tensor } from "../tensor/tensor.ts";

/** What is used of `node:v8`: structured clone to bytes, and back. */
interface Codec {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

/** How values become bytes that go to other ranks. */
export const codec = (): Codec => process.getBuiltinModule("node:v8");

/** A value as bytes; throws `ArgumentError` for what other ranks would not have as it is here. */
export function encoded(what: string, value: unknown): Uint8Array {
  refuseTensors(what, value);
  try {
    return codec().serialize(value);
  } catch (error) {
    throw notCopied(what, error);
  }
}

/** A copy as between threads; throws `ArgumentError` for what has none. */
export function copied<T>(what: string, value: T): T {
  refuseTensors(what, value);
  try {
    return structuredClone(value);
  } catch (error) {
    throw notCopied(what, error);
  }
}

const notCopied = (what: string, error: unknown): ArgumentError =>
  new ArgumentError(
    `${what}(): the value cannot be copied to other ranks: ${(error as Error).message.replace(/\.$/, "")}. ${advice}`,
    { cause: error },
  );

const advice = "Give plain data: of a tensor its await t.data().";

/** Throws for tensors and modules: a structured clone of one is an object without elements, and no error. */
function refuseTensors(what: string, value: unknown): void {
  const seen = new Set<unknown>();
  const look = (one: unknown): void => {
    if (typeof one !== "object" || one === null || ArrayBuffer.isView(one) || seen.has(one)) return;
    seen.add(one);
    if (one instanceof Tensor || one instanceof Module)
      throw new ArgumentError(
        `${what}(): the value cannot be copied to other ranks: there is a ${one instanceof Tensor ? "tensor" : "module"} in it. ${advice}`,
      );
    if (one instanceof Map) for (const entry of one) for (const each of entry) look(each);
    else if (one instanceof Set) for (const each of one) look(each);
    else if (Array.isArray(one)) one.forEach(look);
    else for (const name of Object.keys(one)) look((one as Record<string, unknown>)[name]);
  };
  look(value);
}
