import { ArgumentError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { refuseChangeWhileRecording } from "../engine/trace.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { noGrad } from "../tensor/autograd.ts";
import { Parameter } from "../tensor/parameter.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { ModuleDict } from "./module-dict.ts";

/**
 * What stands in a module for a parameter that is computed from others. Those are its own fields: they are what is
 * trained, frozen, selected and saved, and what they make follows. Takes nothing but what a subclass's own constructor
 * asks for, which is given to `registerParametrization` ready made; `forward` gives the parameter's value, of its shape
 * and dtype. Throws nothing.
 * Source: the modules that `torch.nn.utils.parametrize` takes.
 * Example:
 * ```ts
 * class Exponential extends nn.Parametrization {
 *   original;
 *   constructor(weight: Tensor) {
 *     super();
 *     this.original = new nn.Parameter(weight.abs().log());
 *   }
 *   forward() {
 *     return this.original.exp();
 *   }
 *   rightInverse(value: Tensor) {
 *     noGrad(() => this.original.copy_(value.log()));
 *   }
 * }
 * const layer = nn.registerParametrization(new nn.Linear(3, 2), "weight", (weight) => new Exponential(weight));
 * return layer.forward(randn([4, 3]));
 * ```
 */
export abstract class Parametrization extends Module {
  /** The value that the parameter has now. Called without arguments, each time that the parameter is read. */
  abstract forward(): Tensor;
  /** Sets its own parameters, in place, so that `forward` gives a value as near to this one as it can. */
  abstract rightInverse(value: Tensor): void;
}

/** A module of which a parameter is computed: it is read as before, and its parts are below `parametrizations`. */
export type Parametrized<M, N extends string, P extends Parametrization> = M & {
  readonly parametrizations: ModuleDict<{ [K in N]: P }>;
};

/** A module among arguments. */
export const aModule: kind.Kind = { what: "a module", ok: (x) => x instanceof Module };
const aFunction: kind.Kind = { what: "a function", ok: (x) => typeof x === "function" };
const registers = takes({ module: aModule, name: kind.string, make: aFunction });
const removes = takes({ module: aModule, name: kind.string });

/** The parametrizations of a module, or null. */
function heldBy(module: Module): ModuleDict | null {
  const { parametrizations } = module as { parametrizations?: unknown };
  return parametrizations instanceof ModuleDict ? parametrizations : null;
}

/**
 * Has a parameter of a module computed by a parametrization, and gives the module: its forward pass reads the computed
 * value, and what is trained is at the paths `parametrizations.<name>.…`. `make` is given the parameter that there is,
 * and what it makes begins with its value. A tensor that is assigned to the parameter's field from then on goes through
 * `rightInverse`. Where the parameter was frozen or required no gradient, so do those in its place. An optimizer does not
 * know them: make it after this.
 *
 * Throws `ArgumentError` where the module has no such parameter, where it has a parametrization already, and where some
 * of it alone is frozen.
 * Source: `torch.nn.utils.parametrize.register_parametrization`.
 * Example: `nn.registerParametrization(new nn.Linear(4, 3), "weight", (weight) => new nn.WeightNorm(weight))`.
 */
export function registerParametrization<M extends Module, const N extends string, P extends Parametrization>(
  module: M,
  name: N,
  make: (parameter: Parameter) => P,
): Parametrized<M, N, P> {
  const op = "registerParametrization";
  refuseUnless(op, registers, [module, name, make]);
  refuseChangeWhileRecording(op);
  const dict = heldBy(module);
  if (dict?.has(name))
    throw new ArgumentError(
      `${op}: ${module.constructor.name}.${name} has a parametrization; take it off first with removeParametrizations`,
    );
  const parameter: unknown = Reflect.getOwnPropertyDescriptor(module, name)?.value;
  if (!(parameter instanceof Parameter)) {
    const own = Object.entries(module).flatMap(([key, value]) => (value instanceof Parameter ? [key] : []));
    throw new ArgumentError(
      `${op}: ${module.constructor.name} has no parameter "${name}" of its own; it has ${own.join(", ") || "none"}`,
    );
  }
  if (parameter.frozenRegion !== null)
    throw new ArgumentError(
      `${op}: some of ${module.constructor.name}.${name} is frozen, which what it is computed from cannot be alike; ` +
        "end that scope first, and freeze what there is then",
    );
  const made = make(parameter);
  const { shape, dtype } = made.forward();
  if (shapeText(shape) !== shapeText(parameter.shape) || dtype !== parameter.dtype)
    throw new ArgumentError(
      `${op}: ${made.constructor.name} gives ${dtype}${shapeText(shape)} for ${module.constructor.name}.${name}, which is ` +
        `${parameter.dtype}${shapeText(parameter.shape)}`,
    );
  for (const part of made.parameters()) {
    part.requiresGrad &&= parameter.requiresGrad;
    if (parameter.frozen) part.frozen = true;
  }
  const holder = dict ?? new ModuleDict();
  holder.set(name, made);
  // Not enumerable: what is walked is what it is computed from.
  Object.defineProperty(module, name, { ...computed(name), enumerable: false, configurable: true });
  if (dict === null) (module as { parametrizations?: ModuleDict }).parametrizations = holder;
  return module as Parametrized<M, N, P>;
}

/** A field that is computed, of whichever module it is put in, a clone too. */
const computed = (name: string) => ({
  get(this: Module): Tensor {
    return (heldBy(this)!.get(name) as Parametrization).forward();
  },
  set(this: Module, value: unknown): void {
    if (!(value instanceof Tensor))
      throw new ArgumentError(
        `${this.constructor.name}.${name} is computed by a parametrization, and ${typeof value} is assigned to it; ` +
          "assign a tensor, or take the parametrization off with removeParametrizations",
      );
    noGrad(() => (heldBy(this)!.get(name) as Parametrization).rightInverse(value));
  },
});

/**
 * Takes the parametrization off a parameter and gives the module: the parameter is an ordinary one again, with the value
 * that was computed last. It is frozen where all that it was computed from was, and requires a gradient where any of that
 * did. An optimizer does not know it: make it after this.
 *
 * Throws `ArgumentError` where the module has no parametrization of that name.
 * Source: `torch.nn.utils.parametrize.remove_parametrizations`.
 * Example: `nn.removeParametrizations(nn.weightNorm(new nn.Linear(4, 3)), "weight")`.
 */
export function removeParametrizations<M extends Module>(module: M, name: string): M {
  refuseUnless("removeParametrizations", removes, [module, name]);
  refuseChangeWhileRecording("removeParametrizations");
  const dict = heldBy(module);
  if (dict === null || !dict.has(name))
    throw new ArgumentError(
      `removeParametrizations: ${module.constructor.name} has no parametrization of "${name}"; it has ${dict?.keys().join(", ") || "none"}`,
    );
  const made = dict.get(name) as Parametrization;
  const parts = made.parameters();
  const value = new Parameter(
    noGrad(() => made.forward()),
    { requiresGrad: parts.some((part) => part.requiresGrad) },
  );
  value.frozen = parts.length > 0 && parts.every((part) => part.frozen);
  Object.defineProperty(module, name, { value, writable: true, enumerable: true, configurable: true });
  dict.pop(name);
  if (dict.size === 0) delete (module as { parametrizations?: ModuleDict }).parametrizations;
  return module;
}
