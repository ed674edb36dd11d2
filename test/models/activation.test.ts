import { readFileSync } from "node:fs";
import { ConfigError, tensor } from "thaw";
import { expect, test } from "vitest";
import { activationOf } from "../../src/models/activation.ts";
import { ConfigReader } from "../../src/models/config.ts";

// Activations by the names that configs have for them, against transformers (make-activations.py).

const { x, results } = JSON.parse(
  readFileSync(new URL("fixtures/activations.json", import.meta.url), "utf8"),
) as { x: number[]; results: Record<string, number[]> };

const named = (name: unknown) => activationOf(new ConfigReader({ hidden_act: name }), "hidden_act");

test.each(Object.keys(results))("%s gives what transformers gives", async (name) => {
  const own = await named(name)(tensor(x)).data();
  for (const [i, expected] of results[name]!.entries())
    expect(Math.abs(own[i]! - expected), `at ${x[i]}`).toBeLessThan(2e-6 * Math.max(1, Math.abs(expected)));
});

test("an activation that is not there is refused by name", () => {
  expect(() => named("laplace")).toThrow(ConfigError);
  expect(() => named("laplace")).toThrow(/hidden_act is "laplace"; it must be one of gelu, gelu_10, .*tanh/);
  expect(() => named(7)).toThrow(/hidden_act is 7/);
});
