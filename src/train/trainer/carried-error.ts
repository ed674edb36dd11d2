import * as errors from "../../base/errors.ts";

/** What was thrown, as a message between threads can carry it. */
export type CarriedError =
  | {
      readonly is: "error";
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      readonly cause: CarriedError | null;
      /** Whether it is a `DOMException`, which is told from others of its kind by its name. */
      readonly dom: boolean;
      /** What else it says in fields of its own, as `status` or `code`. */
      readonly fields: Readonly<Record<string, unknown>>;
      /** What an `AggregateError` is made of. */
      readonly errors: readonly CarriedError[] | null;
    }
  | { readonly is: "value"; readonly value: unknown };

/** How many causes of causes are carried: a cause may be its own. */
const deepest = 8;

const carriedByName = new Set(["name", "message", "stack", "cause", "errors"]);

/** The fields of an error that can be copied, beside those that all have. */
function fieldsOf(error: Error): Record<string, unknown> {
  const fields: [string, unknown][] = [];
  for (const name of Object.keys(error)) {
    if (carriedByName.has(name)) continue;
    try {
      fields.push([name, structuredClone(Reflect.get(error, name))]);
    } catch {
      // A function has no meaning elsewhere; what the message says is carried in any case.
    }
  }
  return Object.fromEntries(fields);
}

/** Packs what was thrown. What cannot be copied goes as text, or where it is a field of an error, not at all. */
export function carried(thrown: unknown, depth = 0): CarriedError {
  if (thrown instanceof Error) {
    const { name, message, stack, cause } = thrown;
    const further = depth < deepest;
    return {
      is: "error",
      name,
      message,
      stack,
      cause: cause !== undefined && further ? carried(cause, depth + 1) : null,
      dom: typeof DOMException === "function" && thrown instanceof DOMException,
      fields: fieldsOf(thrown),
      errors:
        thrown instanceof AggregateError && further
          ? thrown.errors.map((error) => carried(error, depth + 1))
          : null,
    };
  }
  try {
    return { is: "value", value: structuredClone(thrown) };
  } catch {
    return { is: "value", value: String(thrown) };
  }
}

/**
 * Unpacks it as an error of the class of that name: of thaw, of the language, or of the platform; of another, as an
 * `Error` so named.
 */
export function uncarried(packed: CarriedError): unknown {
  if (packed.is === "value") return packed.value;
  const { name, stack, cause, fields } = packed;
  const error = make(packed, cause === null ? undefined : { cause: uncarried(cause) });
  if (error.name !== name) error.name = name;
  for (const [field, value] of Object.entries(fields))
    Object.defineProperty(error, field, { value, configurable: true, enumerable: true, writable: true });
  if (stack !== undefined)
    Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  return error;
}

type MakeError = new (message: string, options?: ErrorOptions) => Error;

/** Errors of the language that are made of a message. */
const builtIn: Readonly<Record<string, MakeError>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

function make(
  { name, message, dom, errors: parts }: Extract<CarriedError, { is: "error" }>,
  options: ErrorOptions | undefined,
): Error {
  if (dom) return new DOMException(message, name);
  if (parts !== null) return new AggregateError(parts.map(uncarried), message, options);
  // Own names only: objects inherit some, such as constructor.
  const Class = [errors as Readonly<Record<string, MakeError>>, builtIn].find((of) =>
    Object.hasOwn(of, name),
  )?.[name];
  if (Class !== undefined) return new Class(message, options);
  return new Error(message, options);
}
