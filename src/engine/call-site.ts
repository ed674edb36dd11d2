/** Where user's code called the library, and what. */
export interface CallSite {
  /** The operation as the user knows it: the public function or method that was called, `crossEntropy`. */
  readonly operation: string | null;
  /** File, line and column of the call. */
  readonly place: string | null;
}

interface Frame {
  /** The function, without its class: `div` of `Tensor.div`. */
  readonly name: string;
  readonly file: string;
  readonly place: string;
}

/**
 * Makes out, of the stack of an error that was made inside the library, the call that led there. Where the user's code
 * and the library are one file (a bundle), nothing can be made out.
 */
export function callSiteOf(stack: string): CallSite {
  const frames = stack.split("\n").flatMap((line) => frameOf(line) ?? []);
  const root = folderOf(folderOf(frames[0]?.file ?? ""));
  const inside = ({ file }: Frame): boolean => file.startsWith(root);
  const at = root === "" ? -1 : frames.findIndex((frame) => !inside(frame) && !isEngines(frame));
  if (at < 0) return { operation: null, place: null };
  const called = frames.slice(0, at).filter((frame) => inside(frame) && !makers.has(frame.name));
  return { operation: operationOf(called), place: frames[at]!.place };
}

/**
 * The operation among the library's functions, innermost first: what the user called; but where that is a module of
 * the library, or a row of them, what the innermost module called.
 */
function operationOf(called: readonly Frame[]): string | null {
  const module = called.findIndex(({ name }) => name === "forward");
  const outermost = module < 0 ? called.length - 1 : module - 1;
  return called[outermost]?.name ?? null;
}

/** A line of a stack, as V8 or as Firefox and Safari write it; null where it names no file. */
function frameOf(line: string): Frame | null {
  const v8 = /^\s+at (?:(.*?) \()?((?:[a-z-]+:\/\/)?[^()]*?):(\d+):(\d+)\)?$/.exec(line);
  const [, called = "", file, row, column] = v8 ?? /^([^@]*)@(.*?):(\d+):(\d+)$/.exec(line) ?? [];
  if (file === undefined) return null;
  const name = /([\p{L}\p{N}_$#]+?)(?:\$\d+)?(?: \[as .*\])?$/u.exec(called)?.[1] ?? "";
  return { name: name === "anonymous" ? "" : name, file, place: `${pathOf(file)}:${row}:${column}` };
}

/** What makes nodes of every operation, what checks its arguments, and functions without a name. */
const makers = new Set(["noteOrigin", "node", "checked", ""]);

/** The frames of Node itself. */
const isEngines = ({ file }: Frame): boolean => file.startsWith("node:") || file === "<anonymous>";

const folderOf = (file: string): string => file.slice(0, Math.max(0, file.lastIndexOf("/")));

/** A file as a person writes it. */
function pathOf(file: string): string {
  if (!file.startsWith("file://")) return file;
  try {
    return decodeURI(file.slice("file://".length));
  } catch {
    return file;
  }
}
