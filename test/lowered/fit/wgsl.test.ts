import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, launchChromium, webGpu } from "../../../scripts/chromium.ts";
import type { TypedArray } from "../../../src/base/dtype.ts";
import { withoutBrowser } from "../../page/browser.ts";
import { type FitCase, fitCases } from "./cases.ts";
import { layoutOf } from "./parts.ts";
import { wgslTiles } from "./tiles.ts";
import { WgslPrinter } from "./wgsl.ts";

const policy = { threads: 16, block: 8 };

/** What a dispatch needs, as numbers that can be sent to a page. */
interface Dispatch {
  readonly text: string;
  readonly words: number[];
  readonly arena: number[];
  readonly tasks: number;
}

/** The buffers of a case one after the other. */
function arenaOf(buffers: readonly TypedArray[]): Uint32Array {
  const arena = new Uint32Array(buffers.reduce((n, b) => n + b.length, 0));
  let at = 0;
  for (const b of buffers) {
    arena.set(new Uint32Array(b.buffer, b.byteOffset, b.length), at);
    at += b.length;
  }
  return arena;
}

function dispatchOf(c: FitCase): Dispatch {
  const kernel = c.lower(policy);
  const layout = layoutOf(kernel, c.extents.length);
  const words = new Array<number>(layout.size).fill(0);
  for (const [d, n] of c.extents.entries()) words[d] = n;
  let first = 0;
  for (const [i, { offset, strides }] of c.accesses.entries()) {
    const place = layout.accesses[i]!;
    words[place.pointer] = first + offset;
    for (const [d, stride] of strides.entries()) words[place.strides[d]!] = stride;
    first += c.before[i]!.length;
  }
  const text = new WgslPrinter(kernel, c.extents.length, wgslTiles(policy.threads)).text();
  return { text, words, arena: [...arenaOf(c.before)], tasks: c.tasks(policy) };
}

/** Runs in a page: one dispatch; gives the arena after it. */
async function dispatch({ text, words, arena, tasks }: Dispatch): Promise<number[] | string> {
  // biome-ignore lint/suspicious/noExplicitAny: a page's API, which the types of Node do not know.
  const { navigator, GPUBufferUsage } = globalThis as any;
  const device = await (await navigator.gpu?.requestAdapter())?.requestDevice();
  if (device === undefined) return "no WebGPU";
  let problem = "";
  device.addEventListener("uncapturederror", (event: { error: Error }) => {
    problem += event.error.message;
  });
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const [given, memory] = [Int32Array.from(words), Uint32Array.from(arena)].map((data) => {
    const buffer = device.createBuffer({ size: data.byteLength, usage: STORAGE | COPY_SRC | COPY_DST });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  });
  const module = device.createShaderModule({ code: text });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const entries = [given, memory].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(tasks);
  pass.end();
  const size = arena.length * 4;
  const read = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  encoder.copyBufferToBuffer(memory, 0, read, 0, size);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(1);
  const after = [...new Uint32Array(read.getMappedRange())];
  device.destroy();
  return problem === "" ? after : problem;
}

describe.skipIf(withoutBrowser)("as WGSL, in a browser", () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchChromium(chromiumPath, webGpu);
    page = await browser.newPage();
    await page.route("**/*", (route) =>
      route.fulfill({ body: "<title>WebGPU</title>", contentType: "text/html" }),
    );
    await page.goto("http://localhost/");
  });
  afterAll(() => browser?.close());

  test.each(fitCases)("$name", async (c) => {
    const after = await page.evaluate(dispatch, dispatchOf(c));
    if (typeof after === "string") expect.fail(after);
    const { buffer } = Uint32Array.from(after);
    let at = 0;
    for (const [i, wanted] of c.after.entries()) {
      const got = wanted instanceof Int32Array ? new Int32Array(buffer) : new Float32Array(buffer);
      for (const [k, x] of wanted.entries()) expect(got[at + k], `buffer ${i}, ${k}`).toBeCloseTo(x, 5);
      at += wanted.length;
    }
  });
});
