/** Is given a line, and whose it is; null: what has started the ranks says it. */
type Take = (rank: number | null, line: string) => void;

/**
 * Puts the lines of ranks together from lines in which Open MPI has put a tag before each piece that came by itself: of a
 * long line there may be several, with pieces of other ranks between them.
 */
export function taggedLines(take: Take): { write(line: string): void; end(): void } {
  const begun = new Map<number, string>();
  const tag = /\[\d+,(\d+)\]<std(?:out|err)>:/g;
  return {
    write(line) {
      // What stands before the first tag, then, by turns, a rank and its piece; the last one ends its line.
      const [before, ...pieces] = line.split(tag) as [string, ...string[]];
      if (before !== "" || pieces.length === 0) take(null, before);
      for (let i = 0; i < pieces.length; i += 2) {
        const rank = Number(pieces[i]);
        const text = (begun.get(rank) ?? "") + pieces[i + 1]!;
        if (i + 2 < pieces.length) begun.set(rank, text);
        else {
          begun.delete(rank);
          take(rank, text);
        }
      }
    },
    end() {
      for (const [rank, text] of begun) take(rank, text);
      begun.clear();
    },
  };
}

/** As `taggedLines`, of MPICH, which has a rank before each line. */
export function prefixedLines(take: Take): { write(line: string): void; end(): void } {
  return {
    write(line) {
      const { rank, text = line } = /^\[(?<rank>\d+)\] (?<text>.*)$/s.exec(line)?.groups ?? {};
      take(rank === undefined ? null : Number(rank), text);
    },
    end() {},
  };
}
