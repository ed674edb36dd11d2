import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import type { Tensor } from "thaw";

/** What of onnxruntime-node the tests use. */
interface Runtime {
  readonly InferenceSession: { create(path: string, options: object): Promise<Session> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => unknown;
}
interface Session {
  readonly inputNames: readonly string[];
  run(feeds: object): Promise<Record<string, { data: ArrayLike<number | bigint>; dims: readonly number[] }>>;
}

const here = new URL("package.json", import.meta.url);

/** Whether `npm ci --prefix test/onnx --ignore-scripts` has installed the runtime. */
export const isInstalled = existsSync(new URL("node_modules/onnxruntime-node", here));

const runtime = (): Runtime => createRequire(here)("onnxruntime-node") as Runtime;

/** Runs an exported file on inputs by name; those that it has not are left out. */
export async function run(path: string, inputs: Readonly<Record<string, Tensor>>) {
  const ort = runtime();
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 3 });
  const feeds: Record<string, unknown> = {};
  for (const name of session.inputNames) {
    const x = inputs[name]!;
    const data = await x.data();
    feeds[name] =
      x.dtype === "i32"
        ? new ort.Tensor("int64", BigInt64Array.from(data, BigInt), x.shape)
        : new ort.Tensor(x.dtype === "bool" ? "bool" : "float32", data, x.shape);
  }
  return session.run(feeds);
}
