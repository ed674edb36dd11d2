import { beforeAll, describe, expect, test } from "vitest";
import { backendOf, currentBackend } from "../../../src/backends/registry.ts";
import { settings } from "../../../src/base/settings.ts";
import { sampled } from "../../breadth.ts";
import { type Combination, combinations, nameOf } from "./axes.ts";
import { prove } from "./prove.ts";

/**
 * Proves on one backend, named as in the registry, that what is held does not move by a bit: in one of so
 * many combinations (a number that divides no axis, so that each value of each axis comes with those of all others), other
 * ones on each backend, or in all where tests are broad.
 */
export function proveFreezing(backend: string, oneIn: number, from: number): void {
  settings.backend = backend;
  beforeAll(() => expect(currentBackend()).toBe(backendOf(backend)));
  const all = combinations();
  const groups = new Map<string, Combination[]>();
  for (const combination of sampled(all, oneIn, from)) {
    const key = `${combination.optimizer}, ${combination.surrounding}`;
    groups.set(key, [...(groups.get(key) ?? []), combination]);
  }

  test("there are at least 2,000 combinations, no two the same", () => {
    expect(all.length).toBeGreaterThanOrEqual(2000);
    expect(new Set(all.map(nameOf)).size).toBe(all.length);
  });

  describe("what is held does not move by a bit", () => {
    test.each([...groups])(
      "%s",
      async (_, members) => {
        const failures: string[] = [];
        for (const combination of members) {
          const wrong = await prove(combination).catch((error: Error) => [`${error.name}: ${error.message}`]);
          for (const what of wrong) failures.push(`${nameOf(combination)}: ${what}`);
        }
        if (failures.length > 0)
          expect.fail(`${failures.length} of ${members.length}:\n${failures.join("\n")}`);
      },
      120_000,
    );
  });
}
