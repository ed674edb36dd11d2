/**
 * Globs over paths: `*` is one segment or a part of one, `**` any number of segments, `{a,b}` either of several. All
 * else stands for itself.
 */
export function globPattern(glob: string): RegExp {
  let pattern = patterns.get(glob);
  if (pattern === undefined) {
    if (patterns.size >= 1000) patterns.clear();
    patterns.set(glob, (pattern = new RegExp(`^(?:${expandBraces(glob).map(source).join("|")})$`)));
  }
  return pattern;
}

const patterns = new Map<string, RegExp>();

/** The globs that one with braces stands for. */
function expandBraces(glob: string): string[] {
  // An innermost pair first, so that what is left of nested ones is expanded in turn.
  const braces = /\{([^{}]*)\}/.exec(glob);
  if (braces === null) return [glob];
  const [before, after] = [glob.slice(0, braces.index), glob.slice(braces.index + braces[0].length)];
  return braces[1]!.split(",").flatMap((choice) => expandBraces(before + choice + after));
}

/** A glob without braces as the source of a regular expression. */
function source(glob: string): string {
  const segments = glob.split(".").filter((segment, i, all) => segment !== "**" || all[i - 1] !== "**");
  // A name may have line breaks in it, which a dot would not stand for.
  if (segments.length === 1 && segments[0] === "**") return "[^]*";
  return segments
    .map((segment, i) => {
      // Dots belong to `**`, so that it can stand for no segment at all.
      if (segment === "**") return i === 0 ? "(?:[^.]+\\.)*" : "(?:\\.[^.]+)*";
      const dot = i === 0 || (i === 1 && segments[0] === "**") ? "" : "\\.";
      return dot + segment.split("*").map(escaped).join("[^.]*");
    })
    .join("");
}

const escaped = (text: string): string => text.replace(/[\\^$.|?+()[\]{}]/g, "\\$&");
