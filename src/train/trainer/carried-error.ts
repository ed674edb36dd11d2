import * as errors from "../../base/errors.ts";

/** What was thrown, as a message between threads can carry it. */
export type CarriedError =
  | {
      readonly is: "error";
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      readonly cause: CarriedError | null;
    }
  | { readonly is: "value"; readonly value: unknown };

/** How many causes of causes are carried: a cause may be its own. */
const deepest = 8;

/** Packs what was thrown. What cannot be copied goes as text. */
export function carried(thrown: unknown, depth = 0): CarriedError {
  if (thrown instanceof Error) {
    const { name, message, stack, cause } = thrown;
    const causes = cause !== undefined && depth < deepest;
    return { is: "error", name, message, stack, cause: causes ? carried(cause, depth + 1) : null };
  }
  try {
    return { is: "value", value: structuredClone(thrown) };
  } catch {
    return { is: "value", value: String(thrown) };
  }
}

/** Unpacks it as an error of the class of that name: of thaw, or of the language; of another, as an `Error` so named. */
export function uncarried(packed: CarriedError): unknown {
  if (packed.is === "value") return packed.value;
  const { name, message, stack, cause } = packed;
  const error = make(name, message, cause === null ? undefined : { cause: uncarried(cause) });
  if (error.name !== name) error.name = name;
  if (stack !== undefined)
    Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  return error;
}

type MakeError = new (message: string, options?: ErrorOptions) => Error;

/** Errors of the language that are made of a message; `DOMException` is of a message and a name. */
const builtIn: Readonly<Record<string, MakeError>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

function make(name: string, message: string, options: ErrorOptions | undefined): Error {
  // Own names only: objects inherit some, such as constructor.
  const Class = [errors as Readonly<Record<string, MakeError>>, builtIn].find((of) =>
    Object.hasOwn(of, name),
  )?.[name];
  if (Class !== undefined) return new Class(message, options);
  if (name === "AbortError" || name === "TimeoutError" || name === "DataCloneError")
    return new DOMException(message, name);
  return new Error(message, options);
}
