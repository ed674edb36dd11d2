import { currentTrace, type Trace } from "../engine/trace.ts";

interface HasGradient {
  grad: unknown;
}

const recorded = new WeakMap<Trace, Set<HasGradient>>();

/** Notes that a tensor was given a gradient while a step is recorded. */
export function noteGradient(tensor: HasGradient): void {
  const trace = currentTrace();
  if (!trace.recording) return;
  const tensors = recorded.get(trace);
  if (tensors === undefined) recorded.set(trace, new Set([tensor]));
  else tensors.add(tensor);
}

/** Takes the gradients that a recording left: they are nodes of its graph, and have no value outside. */
export function discardGradients(trace: Trace): void {
  for (const tensor of recorded.get(trace) ?? []) tensor.grad = null;
  recorded.delete(trace);
}
