import { ArgumentError, currentBackend, setThreads } from "thaw";
import { expect, test } from "vitest";

test("setThreads has so many threads compute, and the backend says what there are", () => {
  const backend = currentBackend();
  const before = backend.threads;
  try {
    setThreads(2);
    expect(backend.threads).toBe(backend.name === "reference" ? 1 : 2);
    setThreads(1);
    expect(backend.threads).toBe(1);
  } finally {
    setThreads(before);
  }
});

test("workers join while setThreads is awaited, without a step", async () => {
  const backend = currentBackend() as ReturnType<typeof currentBackend> & { readonly workersReady?: number };
  const before = backend.threads;
  try {
    // Without a turn of the event loop this has no end. Threads of native need none.
    do await setThreads(2);
    while (backend.workersReady === 0);
  } finally {
    setThreads(before);
  }
});

test.each([0, -1, 1.5, Number.NaN, 257, "2" as unknown as number])("setThreads refuses %s", (count) => {
  const before = currentBackend().threads;
  expect(() => setThreads(count)).toThrow(ArgumentError);
  expect(currentBackend().threads).toBe(before);
});
