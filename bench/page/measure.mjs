// In the page: counts frames and notes the longest task while something trains, there or in a worker.
import { train } from "./workloads.mjs";

/** Frames a second and the longest task, in milliseconds, between `begin` and `end`. */
class Watch {
  #frames = 0;
  #longest = 0;
  #start = 0;
  #watching = false;
  #observer = new PerformanceObserver((list) => this.#note(list.getEntries()));

  #note(entries) {
    for (const { duration } of entries) this.#longest = Math.max(this.#longest, duration);
  }

  begin() {
    // A task of the start, which compiles kernels, is none of the loop's.
    this.#observer.observe({ entryTypes: ["longtask"] });
    this.#start = performance.now();
    this.#watching = true;
    const frame = () => {
      this.#frames++;
      if (this.#watching) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  async end() {
    this.#watching = false;
    this.framesPerSecond = (1000 * this.#frames) / (performance.now() - this.#start);
    // What ended just now is told of in a moment.
    await new Promise((resolve) => setTimeout(resolve, 50));
    this.#note(this.#observer.takeRecords());
    this.#observer.disconnect();
    this.longestTask = this.#longest;
  }
}

/** Trains in the page (`where` "page") or in a worker, and says how both fared. */
export async function measure(where, options) {
  const watch = new Watch();
  const told = (what) => watch[what]();
  const trained =
    where === "page"
      ? await train({ ...options, told })
      : await new Promise((resolve, reject) => {
          const worker = new Worker("/worker.mjs", { type: "module" });
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.onmessage = ({ data: { what, result, error } }) => {
            if (what !== undefined) return told(what);
            worker.terminate();
            return result === undefined ? reject(new Error(error)) : resolve(result);
          };
          worker.postMessage(options);
        });
  return { ...trained, framesPerSecond: watch.framesPerSecond, longestTask: watch.longestTask };
}
