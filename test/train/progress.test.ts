import { Progress } from "thaw/train";
import { expect, test } from "vitest";

/** A clock that a test sets, and what is written. */
function fake(options: { isTTY?: boolean; columns?: number } = {}) {
  const written: string[] = [];
  let time = 0;
  return {
    written,
    wait: (ms: number) => (time += ms),
    options: { output: { ...options, write: (text: string) => written.push(text) }, now: () => time },
  };
}

test("in a pipe it writes plain lines, as many as asked for", () => {
  const { written, wait, options } = fake();
  const progress = new Progress(100, { label: "digits", lines: 4, ...options });
  for (let i = 0; i < 100; i++) {
    wait(50);
    if (i === 49) progress.note({ accuracy: 0.975 });
    progress.step({ loss: 2 });
  }
  progress.end();
  expect(written).toEqual([
    "digits   25 %  step 25/100  loss 2.0000  20 steps/s  0:04 left\n",
    "digits   50 %  step 50/100  loss 2.0000  accuracy 97.5 %  20 steps/s  0:03 left\n",
    "digits   75 %  step 75/100  loss 2.0000  accuracy 97.5 %  20 steps/s  0:01 left\n",
    "digits  100 %  step 100/100  loss 2.0000  accuracy 97.5 %  20 steps/s  0:05 in all\n",
  ]);
});

test("on a terminal it keeps one line live, not too often, and never so wide that it wraps", () => {
  const { written, wait, options } = fake({ isTTY: true, columns: 20 });
  const progress = new Progress(1000, options);
  for (let i = 0; i < 1000; i++) {
    wait(1);
    progress.step();
  }
  progress.end();
  expect(written.length).toBeLessThan(15);
  const clear = "\r\u001b[2K";
  for (const text of written.slice(0, -1)) {
    expect(text.startsWith(clear)).toBe(true);
    expect(text.length - clear.length).toBeLessThan(20);
  }
  expect(written.at(-2)).toContain("100 %");
  expect(written.at(-1)).toBe("\n");
});

test("the loss that is shown is a running mean, and long times have hours", () => {
  const { wait, options } = fake();
  const progress = new Progress(100_000, { lines: 0, ...options });
  progress.step({ loss: 1 });
  wait(60_000);
  progress.step({ loss: 3 });
  expect(progress.line()).toBe("  0 %  step 2/100000  loss 1.1000  0.0 steps/s  833:19:00 left");
});

test("one that goes on counts steps from where it is, and its pace from what it has made itself", () => {
  const { written, wait, options } = fake();
  const progress = new Progress(10, { from: 6, lines: 10, ...options });
  wait(500);
  progress.step();
  expect(written).toEqual([" 70 %  step 7/10  2.0 steps/s  0:02 left\n"]);
});
