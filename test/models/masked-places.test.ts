import { crossEntropy, tensor } from "thaw";
import { BertForMaskedLM, DistilBertForMaskedLM, MPNetForMaskedLM, RobertaForMaskedLM } from "thaw/models";
import { expect, test } from "vitest";
import { askedTokens } from "../../src/models/fit/objectives/asked-tokens.ts";
import { fixture, inputsOf, weightsOf } from "./fixtures/fixture.ts";

// A model that finds tokens is asked about some of them alone: the same numbers, of less work.

const classes = {
  "bert-masked-lm": BertForMaskedLM,
  "bert-untied": BertForMaskedLM,
  "roberta-masked-lm": RobertaForMaskedLM,
  "distilbert-masked-lm": DistilBertForMaskedLM,
  "mpnet-masked-lm": MPNetForMaskedLM,
};

test.each(Object.entries(classes))("%s: logits, loss and gradients at some places", async (kind, Class) => {
  const found = fixture(kind);
  const model = new Class(found.config).eval();
  model.loadStateDict(weightsOf(found), { strict: false });
  const inputs = inputsOf(found);
  const [rows, length] = inputs.inputIds.shape as [number, number];
  const numbers = [1, length + 2, 2 * length - 1];
  const places = askedTokens(numbers, rows * length);
  const size = found.config.vocab_size as number;
  const labelOf = (at: number) => (numbers.includes(at) ? (7 * at) % size : -100);
  const gradients = async (loss: () => ReturnType<typeof tensor>) => {
    model.zeroGrad();
    const value = loss();
    value.backward();
    const grads = model.namedParameters().map(([path, { grad }]) => [path, grad] as const);
    const values = await Promise.all(
      grads.map(async ([, grad]) => (grad === null ? null : await grad.data())),
    );
    return { value: Number(await value.item()), grads: new Map(grads.map(([path], i) => [path, values[i]])) };
  };
  const all = Array.from({ length: rows * length }, (_, at) => labelOf(at));
  const whole = await gradients(() =>
    crossEntropy(model.forward(inputs).flatten(0, 1), tensor(all, { dtype: "i32" }), { reduction: "sum" }),
  );
  const some = Array.from({ length: places.numel }, (_, i) =>
    i < numbers.length ? labelOf(numbers[i]!) : -100,
  );
  const part = await gradients(() =>
    crossEntropy(model.forward(inputs, places), tensor(some, { dtype: "i32" }), { reduction: "sum" }),
  );
  const logits = (await model.forward(inputs).data()) as Float32Array;
  const asked = (await model.forward(inputs, places).data()) as Float32Array;
  for (const [i, at] of numbers.entries())
    for (let k = 0; k < size; k++) expect(asked[i * size + k]).toBeCloseTo(logits[at * size + k]!, 5);
  expect(part.value).toBeCloseTo(whole.value, 4);
  let largest = 0;
  for (const values of whole.grads.values())
    for (const x of values ?? []) largest = Math.max(largest, Math.abs(Number(x)));
  expect(largest).toBeGreaterThan(0);
  for (const [path, values] of whole.grads)
    for (const [i, x] of (values ?? []).entries())
      expect(Math.abs(Number(x) - Number(part.grads.get(path)![i])) / largest, path).toBeLessThan(1e-5);
});

test("few sizes of what is asked serve all batches of a length", () => {
  const numels = Array.from({ length: 300 }, (_, n) => askedTokens(Array<number>(n).fill(5), 1024).numel);
  expect(new Set(numels)).toEqual(new Set([64, 128, 192, 256, 320]));
  for (const [n, numel] of numels.entries()) expect(numel).toBeGreaterThanOrEqual(n);
  expect(Array.from(askedTokens([3], 40).dataSync())).toEqual([3, 0, 0]);
});
