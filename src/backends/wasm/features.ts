import { ModuleBuilder } from "../../targets/wasm/emitter.ts";

/** What this engine's WebAssembly can do. */
export interface Features {
  readonly simd: boolean;
  /** Fused multiply-add in lanes. */
  readonly relaxed: boolean;
}

function validates(ops: readonly string[]): boolean {
  const module = new ModuleBuilder({ shared: false, maximum: 1 });
  const f = module.func("run", []);
  f.f32x4(1);
  f.f32x4(1);
  f.f32x4(1);
  f.op(...ops, "drop");
  return WebAssembly.validate(module.bytes());
}

/** Looks; on Node 20, where relaxed SIMD is behind a switch that can be set at run time, sets it. */
export function detectFeatures(): Features {
  const simd = validates(["f32x4.add", "f32x4.add"]);
  let relaxed = simd && validates(["f32x4.relaxed_madd"]);
  if (simd && !relaxed) {
    const process = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process;
    const v8 = process?.getBuiltinModule?.("node:v8") as
      | { setFlagsFromString(flag: string): void }
      | undefined;
    // Asked only where it is missing: newer engines complain about a switch that is gone.
    v8?.setFlagsFromString("--experimental-wasm-relaxed-simd");
    relaxed = validates(["f32x4.relaxed_madd"]);
  }
  return { simd, relaxed };
}
