/** Gives whole lines of a text that comes in pieces, and what is left at its end. */
export function lineWriter(line: (text: string) => void): {
  write(piece: Uint8Array): void;
  end(): void;
} {
  const decoder = new TextDecoder();
  let rest = "";
  return {
    write(piece) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const text of lines) line(text);
    },
    end() {
      if (rest !== "") line(rest);
      rest = "";
    },
  };
}
