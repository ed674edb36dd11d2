import { TrainerError } from "../../base/errors.ts";

/** A worker as a browser has it, as far as it is used. */
interface WebWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  addEventListener(
    type: string,
    listener: (event: { data?: unknown; message?: string; error?: unknown }) => void,
  ): void;
}

/** A worker as Node has it. */
interface NodeWorker {
  postMessage(message: unknown): void;
  terminate(): Promise<number>;
  on(event: string, listener: (value: unknown) => void): unknown;
}

/** A worker: of the browser, or of Node's `worker_threads`. */
export type TrainerWorker = WebWorker | NodeWorker;

interface NodeThreads {
  readonly Worker: new (url: URL | string, options: { execArgv?: string[] }) => NodeWorker;
  readonly isMainThread: boolean;
  readonly parentPort: {
    postMessage(message: unknown): void;
    on(event: "message", listener: (message: unknown) => void): void;
    close(): void;
  } | null;
}

const nodeThreads = (): NodeThreads | undefined =>
  (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process?.getBuiltinModule?.(
    "node:worker_threads",
  ) as NodeThreads | undefined;

/** Starts a module in a worker; throws `TrainerError` where none can be. */
export function startWorker(module: URL | string): TrainerWorker {
  try {
    const node = nodeThreads();
    if (node !== undefined) return new node.Worker(module, optionsOfNode());
    return new Worker(module, { type: "module" });
  } catch (error) {
    throw new TrainerError(
      `startTrainer: no worker can be started from ${module}: ${(error as Error).message}. ` +
        "It takes a URL of the page's own origin, new URL(\"./train.js\", import.meta.url), which the page's policy allows (worker-src); " +
        "or make the worker yourself and give that.",
      { cause: error },
    );
  }
}

/** Options of this process that a thread takes too: what is said of a program in the command line is not for a module. */
function optionsOfNode(): { execArgv?: string[] } {
  const given = process.execArgv;
  if (!given.some((option) => option.startsWith("--input-type"))) return {};
  const inline = /^(-e|-p|-pe|--eval|--print)$/;
  return {
    execArgv: given.filter(
      (option, i) =>
        !option.startsWith("--input-type") && !inline.test(option) && !(i > 0 && inline.test(given[i - 1]!)),
    ),
  };
}

/** What is told of a worker. `ended` may come after `failed`, and both after all messages. */
export interface Listeners {
  message(message: unknown): void;
  /** It did not load, or an error was not caught in it. */
  failed(problem: unknown): void;
  /** It has ended, as a browser does not tell. */
  ended(code: unknown): void;
}

/** Listens to a worker of either kind. */
export function listen(worker: TrainerWorker, { message, failed, ended }: Listeners): void {
  if ("on" in worker) {
    worker.on("message", message);
    worker.on("messageerror", failed);
    worker.on("error", failed);
    worker.on("exit", ended);
    return;
  }
  worker.addEventListener("message", ({ data }) => message(data));
  worker.addEventListener("messageerror", () => failed("a message could not be read"));
  // Where a module does not load the event says nothing.
  worker.addEventListener("error", (event) =>
    failed(event.message || "the module, or one that it imports, could not be loaded"),
  );
}

/** This thread, as its worker sees it. */
export interface OwnThread {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Listens no longer, which keeps a thread of Node alive. */
  close(): void;
}

/** This thread if it is a worker; null where it is a page or a process's first thread. */
export function ownThread(): OwnThread | null {
  const node = nodeThreads();
  if (node !== undefined) {
    const port = node.isMainThread ? null : node.parentPort;
    if (port === null) return null;
    return {
      post: (message) => port.postMessage(message),
      onMessage: (listener) => port.on("message", listener),
      close: () => port.close(),
    };
  }
  if (typeof document !== "undefined" || typeof postMessage !== "function") return null;
  const scope = globalThis as unknown as WebWorker & { close(): void };
  // Neither is told to whoever has started a worker, as Node does: both are made errors that nobody catches.
  addEventListener("unhandledrejection", ({ reason }) => reportError(reason));
  const close = scope.close.bind(scope);
  scope.close = () => {
    reportError(new TrainerError("the worker was closed (self.close()) before its trainer had ended"));
    close();
  };
  return {
    post: (message) => scope.postMessage(message),
    onMessage: (listener) => scope.addEventListener("message", ({ data }) => listener(data)),
    close: () => {},
  };
}
