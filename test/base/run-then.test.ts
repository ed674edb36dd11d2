import { describe, expect, test, vi } from "vitest";
import { runThen } from "../../src/base/run-then.ts";

const error = new Error("inside");

describe("runThen", () => {
  test("after a result", () => {
    const after = vi.fn();
    expect(
      runThen(() => {
        expect(after).not.toHaveBeenCalled();
        return 3;
      }, after),
    ).toBe(3);
    expect(after.mock.calls).toEqual([[null]]);
  });

  test("after a failure", () => {
    const after = vi.fn();
    expect(() =>
      runThen(() => {
        throw error;
      }, after),
    ).toThrow(error);
    expect(after.mock.calls).toEqual([[{ error }]]);
  });

  test("once a promise settles", async () => {
    const after = vi.fn();
    const pending = runThen(() => Promise.resolve(4), after);
    expect(after).not.toHaveBeenCalled();
    expect(await pending).toBe(4);
    expect(after.mock.calls).toEqual([[null]]);
    await expect(runThen(() => Promise.reject(error), after)).rejects.toBe(error);
    expect(after.mock.calls[1]).toEqual([{ error }]);
  });

  test("what it throws takes the place of the failure", async () => {
    const other = new Error("after");
    const fail = () => {
      throw other;
    };
    expect(() =>
      runThen(() => {
        throw error;
      }, fail),
    ).toThrow(other);
    expect(() => runThen(() => 1, fail)).toThrow(other);
    await expect(runThen(() => Promise.reject(error), fail)).rejects.toBe(other);
  });
});
