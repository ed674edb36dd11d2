import { mathImports } from "../../../src/backends/wasm/math.ts";
import { dtypes, type TypedArray } from "../../../src/base/dtype.ts";
import { argsLayout } from "../../../src/codegen/args.ts";
import { emitKernelWasm } from "../../../src/targets/wasm/kernel.ts";
import type { AxisCall } from "../../codegen/axis-cases.ts";
import type { Buffers, Call } from "../../codegen/loop-call.ts";

const memory = new WebAssembly.Memory({ initial: 160, maximum: 160 });
const import_ = { shared: false, maximum: 160 };

/** Runs a call in WebAssembly on copies of the buffers, in tasks of `chunk` indices; gives the copies. */
export function runCall(
  call: Call | AxisCall,
  buffers: Buffers,
  chunk = Number.POSITIVE_INFINITY,
  relaxed = false,
): TypedArray[] {
  const { kernel, extents } = call;
  const layout = argsLayout(kernel);
  const words = new Int32Array(memory.buffer);
  let next = 1024;
  const places = buffers.map((b) => {
    const at = next;
    new Uint8Array(memory.buffer).set(new Uint8Array(b.buffer, b.byteOffset, b.byteLength), at);
    next = Math.ceil((next + b.byteLength) / 64) * 64 + 64;
    return at;
  });
  for (const [d, at] of layout.extents.entries()) words[at] = extents[d]!;
  for (const [a, place] of layout.accesses.entries()) {
    const args = call.accesses[a]!;
    const size = args.buffer < 0 ? 1 : dtypes[kernel.accesses[a]!.dtype].bytes;
    words[place.pointer] = (args.buffer < 0 ? 0 : places[args.buffer]!) + args.offset * size;
    for (const [d, at] of place.strides.entries()) words[at] = args.strides[d]! * size;
    if (place.axisStride >= 0) words[place.axisStride] = args.axisStride! * size;
  }
  const env = { memory, ...mathImports };
  const bytes = emitKernelWasm(kernel, import_, relaxed);
  const module = new WebAssembly.Module(bytes);
  const run = new WebAssembly.Instance(module, { env }).exports.run as (
    args: number,
    begin: number,
    end: number,
  ) => void;
  const whole = kernel.kind === "loop" && kernel.outer === 0 && kernel.body.some((v) => v.op === "reduce");
  const total = whole ? 1 : extents[0]!;
  for (let begin = 0; begin < total; begin += chunk) run(0, begin, Math.min(total, begin + chunk));
  return buffers.map((b, i) => {
    const copy = b.slice();
    new Uint8Array(copy.buffer).set(new Uint8Array(memory.buffer, places[i], b.byteLength));
    return copy;
  });
}
