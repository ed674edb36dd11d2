import type { ParameterReport } from "../report.ts";
import type { CarriedError } from "./carried-error.ts";

/** What the starting side says to a trainer. */
export type ToTrainer =
  /** Asks whether it listens: what it said itself may have come before anybody heard. */
  | { readonly kind: "hello" }
  | { readonly kind: "start"; readonly input: unknown }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "abort"; readonly reason: CarriedError };

/** What a trainer says to the side that has started it. */
export type FromTrainer =
  /** It listens: the module has called `runTrainer`. */
  | { readonly kind: "ready" }
  | { readonly kind: "losses"; readonly losses: readonly number[] }
  | { readonly kind: "report"; readonly parameters: readonly ParameterReport[] }
  | { readonly kind: "message"; readonly message: unknown }
  | { readonly kind: "paused" }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly error: CarriedError };
