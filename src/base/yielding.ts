/** The longest time in milliseconds that a loop of awaited calls keeps the event loop: a page draws a frame in 16.7. */
const longest = 12;

// As they are when thaw is loaded: a test's fake timers would leave a call waiting for good.
const { setImmediate: immediate, setTimeout: timeout } = globalThis as {
  setImmediate?: (fn: () => void) => unknown;
  setTimeout: (fn: () => void, milliseconds?: number) => unknown;
};

/** Of calls that take less than an eighth of a millisecond only one in eight looks at the clock, which costs 0.1 µs. */
const seldom = 8;

/** When the event loop last had its turn, and when the clock was last looked at. */
let turned = Number.NEGATIVE_INFINITY;
let looked = turned;
/** Calls that need not look at the clock. */
let unseen = 0;
/** Settles when it has had the next one, where somebody waits for that. */
let turning: Promise<void> | null = null;

/**
 * Runs `run` now, in full. Its promise settles with what came of that, and where 12 ms have passed since the event loop
 * had its turn, only when it has had another: so a loop that awaits each call lets a page draw, timers run and workers
 * start, and nothing ever happens in the middle of a call. Promises settle in the order of the calls.
 */
export async function yielding<T>(run: () => T | Promise<T>): Promise<T> {
  let result: T | Promise<T>;
  try {
    result = run();
  } catch (error) {
    const wait = due();
    if (wait !== null) await wait;
    throw error;
  }
  const wait = due();
  if (wait !== null) await wait;
  return result;
}

/** What a call waits for, if for anything. */
function due(): Promise<void> | null {
  if (turning === null && --unseen < 0) look();
  return turning;
}

function look(): void {
  const now = performance.now();
  unseen = now - looked < 1 ? seldom - 1 : 0;
  looked = now;
  // A clock that a test has set back would never come to the time.
  if (now - turned >= longest || now < turned) turning = turn();
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      if (waits < mostWaits && starting()) return void timeout(end, 2 ** waits++);
      turned = performance.now();
      turning = null;
      resolve();
    };
    nextTask(end);
  });
}

/** Whether something needs the event loop to start, and how often a turn has waited for it, twice as long each time. */
let starting = (): boolean => false;
const mostWaits = 9;
let waits = 0;

/**
 * Has the next turns of the event loop last for as long as `isStarting` says so, together for half a second at
 * most. Until a worker runs, several messages go to and fro: where each waits for a step, that can take many seconds.
 */
export function awaitStart(isStarting: () => boolean): void {
  starting = isStarting;
  waits = 0;
}

/** Settles when what has been starting has started, or the event loop has had turns for it for half a second. */
export const untilStarted = (): Promise<void> =>
  turning ?? (starting() ? (turning = turn()) : Promise.resolve());

/** Has a function called in a task of its own, soon: a page's timers wait 4 ms, and a second in a tab behind others. */
function nextTask(fn: () => void): void {
  if (immediate !== undefined) immediate(fn);
  else if (typeof MessageChannel === "undefined") timeout(fn);
  else {
    // A channel for each message: one that is left open would keep a process alive that has no setImmediate.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      fn();
    };
    port2.postMessage(null);
  }
}
