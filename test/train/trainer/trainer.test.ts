import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { Worker as NodeWorker } from "node:worker_threads";
import { Linear } from "thaw/nn";
import { tensor } from "thaw/tensor";
import { type Report, startTrainer, type Trainer, type TrainerModule } from "thaw/train";
import { beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../../scripts/chromium.ts";
import { servePage } from "../../../scripts/serve.ts";
import { ArgumentError, FreezeError, HttpError, ShapeError, TrainerError } from "../../../src/base/errors.ts";
import { built } from "../../built.ts";
import { withoutBrowser } from "../../page/browser.ts";

const module = new URL("./train.mjs", import.meta.url);
const start = (how: string, more: object = {}, input: object = {}): Trainer<unknown> =>
  startTrainer(module, { input: { how, ...input }, ...more });

beforeAll(() => void built("index.js"));

describe("a trainer in a thread of Node", () => {
  test("tells losses in order, reports and messages, and gives a result", async () => {
    const losses: number[] = [];
    const steps: number[] = [];
    const messages: unknown[] = [];
    const reports: Report[] = [];
    const trainer = start(
      "ends",
      {
        onLoss: (loss: number, step: number) => {
          losses.push(loss);
          steps.push(step);
        },
        onMessage: (message: unknown) => messages.push(message),
        onReport: (report: Report) => reports.push(report),
      },
      { steps: 30 },
    );
    const { weight, map } = (await trainer.result) as { weight: Float32Array; map: Map<string, number> };
    expect(weight).toBeInstanceOf(Float32Array);
    expect(weight).toHaveLength(24);
    expect(map.get("steps")).toBe(30);
    expect(steps).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    expect([trainer.steps, trainer.loss, trainer.paused]).toEqual([30, losses.at(-1), false]);
    expect(messages).toEqual([{ began: "ends" }]);
    expect(trainer.report).toBe(reports[0]);
    expect(reports[0]!.parameters.map(({ path, timesStepped }) => [path, timesStepped])).toEqual([
      ["0.weight", 0],
      ["0.bias", 0],
      ["2.weight", 30],
      ["2.bias", 30],
    ]);
    expect(String(reports[0])).toContain("2.weight");
    // What has ended takes no more.
    await trainer.pause();
    trainer.resume();
    expect(trainer.paused).toBe(false);
  });

  test("rests while it is paused, and goes on", async () => {
    const stop = new AbortController();
    let heard = (): void => {};
    const trainer = start("forever", { signal: stop.signal, onLoss: () => heard() });
    const more = () => new Promise<void>((resolve) => (heard = resolve));
    await more();
    await Promise.all([trainer.pause(), trainer.pause()]);
    expect(trainer.paused).toBe(true);
    const { steps } = trainer;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(trainer.steps).toBe(steps);
    trainer.resume();
    trainer.resume();
    await more();
    expect(trainer.steps).toBeGreaterThan(steps);
    // Resumed at once, what waits for the pause does not wait for good.
    const waiting = trainer.pause();
    trainer.resume();
    await waiting;
    await more();
    await trainer.pause();
    stop.abort();
    await expect(trainer.result).rejects.toBe(stop.signal.reason);
  });

  test("stops by a signal, with its reason", async () => {
    const reason = new Error("enough");
    for (const how of ["forever", "deaf", "aborts"]) {
      const stop = new AbortController();
      const messages: unknown[] = [];
      const onMessage = (message: unknown): void => {
        messages.push(message);
        stop.abort(reason);
      };
      const trainer = start(how, { signal: stop.signal, onMessage });
      await expect(trainer.result).rejects.toBe(reason);
      if (how === "aborts") expect(messages).toEqual([{ began: how }, { seen: "Error: enough" }]);
    }
    const aborted = start("forever", { signal: AbortSignal.abort(reason) });
    await expect(aborted.result).rejects.toBe(reason);
  });

  test("what it throws comes out as an error of the same class", async () => {
    const failure = (how: string): Promise<unknown> =>
      start(how).result.then(
        () => null,
        (error) => error,
      );
    const refused = (await failure("refuses")) as Error;
    expect(refused).toBeInstanceOf(FreezeError);
    expect(refused.message).toBe("it is frozen");
    expect(refused.stack).toContain("train.mjs");
    const wrong = (await failure("wrong shape")) as Error;
    expect(wrong).toBeInstanceOf(ShapeError);
    expect(await failure("throws own")).toMatchObject({ name: "OwnError", message: "of its own" });
    expect(await failure("throws text")).toBe("no error at all");
    const both = (await failure("throws fields")) as AggregateError & { status: number };
    expect(both).toBeInstanceOf(AggregateError);
    expect({ ...both }).toEqual({ status: 404, headers: new Map([["a", 1]]) });
    const [http, full] = both.errors as [HttpError, DOMException];
    expect(http).toBeInstanceOf(HttpError);
    expect([http.status, http.message]).toEqual([404, "not there"]);
    expect(full).toBeInstanceOf(DOMException);
    expect([full.name, full.code]).toEqual(["QuotaExceededError", 22]);
    const uncopied = (await failure("tensor")) as Error;
    expect(uncopied).toBeInstanceOf(ArgumentError);
    expect(uncopied.message).toMatch(/^What a trainer gives\.inside\[0\] is a tensor/);
  });

  test("one that dies, or does not load, is a TrainerError that says why", async () => {
    const listener = new Error("a listener's own");
    for (const [trainer, message] of [
      [() => start("dies"), /nobody catches this/],
      [() => start("exits"), /exit code 3/],
      [() => startTrainer(new URL("./missing.mjs", import.meta.url)), /missing\.mjs/],
      [() => startTrainer(pathToFileURL(built("testing/index.js"))), /has ended \(exit code 0\)/],
    ] as const) {
      const error = await trainer().result.then(
        () => null,
        (failure: Error) => failure,
      );
      expect(error).toBeInstanceOf(TrainerError);
      expect(error!.message).toMatch(message);
    }
    expect(() => startTrainer("train.mjs")).toThrow(TrainerError);
    expect(() => startTrainer(module, { startWithin: 0 })).toThrow(/startWithin is 0/);
    const heard = start("ends", {
      onMessage: () => {
        throw listener;
      },
    });
    await expect(heard.result).rejects.toBe(listener);
  });

  test("one that was started before, or listens late, is not waited for in vain", async () => {
    const early = new NodeWorker(module);
    await new Promise((resolve) => early.on("message", resolve));
    await expect(startTrainer(early, { input: { how: "ends" } }).result).resolves.toHaveProperty("weight");
    const idle = new NodeWorker("setInterval(() => {}, 1000)", { eval: true });
    await expect(startTrainer(idle, { startWithin: 50 }).result).rejects.toThrow(
      /has not called runTrainer within 50 ms/,
    );
  });

  test("what cannot be copied is refused before a worker is started", () => {
    expect(() => startTrainer(module, { input: { x: [tensor([1])] } })).toThrow(
      /^startTrainer: input\.x\[0\] is a tensor, which stays in its thread; give its data/,
    );
    expect(() => startTrainer(module, { input: new Map([["net", new Linear(1, 1)]]) })).toThrow(
      /is a module/,
    );
    expect(() => startTrainer(module, { input: { loss: () => 1 } })).toThrow(ArgumentError);
  });

  test("keeps no process alive once it has ended", () => {
    const script = `
      import { startTrainer } from ${JSON.stringify(pathToFileURL(built("index.js")).href)};
      const url = ${JSON.stringify(module.href)};
      await startTrainer(url.startsWith("file:") ? new URL(url) : url, { input: { how: "ends" } }).result;
      const stop = new AbortController();
      const deaf = startTrainer(new URL(url), { input: { how: "deaf" }, signal: stop.signal });
      setTimeout(() => stop.abort(), 200);
      await deaf.result.catch(({ name }) => console.log(name));
    `;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 50_000,
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "AbortError\n", stderr: "" });
  });
});

test("input, result and messages have the types of the module", () => {
  type Typed = TrainerModule<{ epochs: number }, string, { note: string }>;
  const started = () =>
    startTrainer<Typed>(module, { input: { epochs: 1 }, onMessage: ({ note }) => note.length });
  const typed: () => Trainer<string> = started;
  // @ts-expect-error: epochs is a number.
  const wrong = () => startTrainer<Typed>(module, { input: { epochs: "1" } });
  // Workers that were made by hand, of either kind.
  const page = () => startTrainer<Typed>(new Worker(module, { type: "module" }));
  const node = () => startTrainer<Typed>(new NodeWorker(module));
  expect([typed, wrong, page, node]).toHaveLength(4);
});

test.skipIf(withoutBrowser)(
  "is the same in a page",
  async () => {
    const server = await servePage("test/train/trainer");
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      const seen = await page.evaluate(`(async () => {
        const thaw = await import("/dist/index.js");
        const url = new URL("/train.mjs", location.href);
        const start = (how, more) => thaw.startTrainer(url, { input: { how }, ...more });
        const failure = ({ result }) => result.then(() => null, (error) =>
          [error.constructor.name, error instanceof thaw.ThawError, error.message]);
        const losses = [];
        const whole = start("ends", { onLoss: (loss) => losses.push(loss) });
        const { weight } = await whole.result;
        const stop = new AbortController();
        const paused = start("forever", { signal: stop.signal });
        await paused.pause();
        const before = paused.steps;
        await new Promise((resolve) => setTimeout(resolve, 60));
        const still = paused.steps === before;
        paused.resume();
        while (paused.steps === before) await new Promise((resolve) => setTimeout(resolve, 5));
        stop.abort();
        const own = new Worker(url, { type: "module" });
        return {
          steps: whole.steps,
          reported: whole.report.parameters.length,
          losses: losses.length,
          weight: weight.length,
          still,
          aborted: (await failure(paused))[2] === stop.signal.reason.message,
          own: (await thaw.startTrainer(own, { input: { how: "ends" } }).result).weight.length,
          refused: await failure(start("refuses")),
          dies: await failure(start("dies")),
          closes: await failure(start("closes")),
          silent: await failure(thaw.startTrainer("/silent.mjs", { startWithin: 300 })),
          late: (await thaw.startTrainer("/late.mjs", { input: { how: "ends" } }).result).weight.length,
          missing: await failure(thaw.startTrainer("/missing.mjs")),
          elsewhere: (() => {
            try {
              thaw.startTrainer("https://elsewhere.invalid/train.js");
            } catch (error) {
              return error.constructor.name;
            }
          })(),
        };
      })()`);
      expect(seen).toMatchObject({
        steps: 20,
        reported: 4,
        losses: 20,
        weight: 24,
        still: true,
        aborted: true,
        own: 24,
        refused: ["FreezeError", true, "it is frozen"],
        dies: ["TrainerError", true, expect.stringContaining("nobody catches this")],
        closes: ["TrainerError", true, expect.stringContaining("self.close()")],
        silent: ["TrainerError", true, expect.stringContaining("has not called runTrainer within 300 ms")],
        late: 24,
        missing: ["TrainerError", true, expect.stringContaining("could not be loaded")],
        elsewhere: "TrainerError",
      });
    } finally {
      await browser.close();
      server.close();
    }
  },
  60_000,
);
