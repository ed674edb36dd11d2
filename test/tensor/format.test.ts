import { formatTensor } from "thaw/tensor";
import { expect, test } from "vitest";
import { type Fixture, readFixture, valuesOf } from "../oracle/fixture.ts";

interface Prints {
  prints: { tensor: Fixture; text: string }[];
}

const { prints } = readFixture<Prints>("layers.json.gz");

test("the fixture holds the prints", () => expect(prints.length).toBeGreaterThan(60));

for (const { tensor, text } of prints) {
  test(`prints ${tensor.dtype}[${tensor.shape}] as PyTorch: ${text.slice(0, 40).replaceAll(/\s+/g, " ")}`, () => {
    const { data, shape, dtype } = valuesOf(tensor);
    expect(formatTensor(data, shape, dtype)).toBe(text);
  });
}

test("suffixes go to a line of their own where there is no room", () => {
  expect(formatTensor([1.5], [1], "f64", "requires_grad=True")).toBe(
    "tensor([1.5000], dtype=torch.float64, requires_grad=True)",
  );
  const long = formatTensor(new Float32Array(9), [9], "f64", "grad_fn=<AVeryLongNameOfAnOperationBackward0>");
  expect(long).toBe(
    "tensor([0., 0., 0., 0., 0., 0., 0., 0., 0.], dtype=torch.float64,\n       grad_fn=<AVeryLongNameOfAnOperationBackward0>)",
  );
});

test("an exact half rounds to the even digit, as C does", () => {
  expect(formatTensor([0.03125, 0.09375], [2], "f32")).toBe("tensor([0.0312, 0.0938])");
  expect(formatTensor([12346.5, 1], [2], "f32")).toBe("tensor([1.2346e+04, 1.0000e+00])");
});
