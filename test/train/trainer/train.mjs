// A trainer as a user writes one, on the built package, in a worker of a page or of Node; `how` is what a test wants.
import {
  crossEntropy,
  FreezeError,
  HttpError,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  runTrainer,
  trainStep,
} from "../../../dist/index.js";

export default runTrainer(async ({ how, steps = 20 }, host) => {
  manualSeed(0);
  const net = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 3));
  const step = trainStep(new optim.AdamW(net, { lr: 0.01 }), {
    loss: (x, y) => crossEntropy(net.forward(x), y),
    trains: "2.**",
  });
  const [x, y] = [randn([16, 4]), randint(0, 3, [16])];
  if (how === "refuses") throw new FreezeError("it is frozen", { cause: new RangeError("too far") });
  if (how === "throws text") throw "no error at all";
  if (how === "throws own") throw Object.assign(new Error("of its own"), { name: "OwnError" });
  if (how === "throws fields") {
    const fields = { status: 404, headers: new Map([["a", 1]]), retry: () => 1 };
    const http = new HttpError("not there", fields);
    const both = new AggregateError([http, new DOMException("full", "QuotaExceededError")], "both");
    throw Object.defineProperty(Object.assign(both, fields), "broken", {
      enumerable: true,
      get() {
        throw new Error("a getter that throws");
      },
    });
  }
  if (how === "tensor") return { inside: [x] };
  if (how === "wrong shape") await step(y, x);
  if (how === "dies") setTimeout(() => Promise.reject(new TypeError("nobody catches this")));
  if (how === "exits") process.exit(3);
  if (how === "closes") self.close();
  host.send({ began: how });
  if (how === "deaf") for (;;) await step(x, y);
  if (how === "aborts") {
    await new Promise((resolve) => host.signal.addEventListener("abort", resolve));
    host.send({ seen: String(host.signal.reason) });
    throw new Error("not what the other side gets");
  }
  for (let i = 0; how === "forever" || how === "dies" || i < steps; i++) await host.loss(await step(x, y));
  host.report(step.report());
  return { weight: await net.at(2).weight.data(), map: new Map([["steps", steps]]) };
});
