/** A difference from PyTorch that is known and meant: which samples, what they show, and why it stays. */
export interface Accepted {
  /** Operations, modules or optimizers, by PyTorch's name with its variant. */
  readonly op: RegExp;
  readonly kind?: "sample" | "extreme" | "promotion" | "error";
  /** What is wrong, as a failure says it. */
  readonly wrong: RegExp;
  readonly reason: string;
}

/** The list. An entry that no committed sample needs any more fails the tests. */
export const accepted: readonly Accepted[] = [
  {
    op: /^(max\/binary|min\/binary|maximum|minimum|logaddexp|hypot|isclose|logical_(and|or|xor))$/,
    kind: "error",
    wrong: /^accepted; PyTorch: (.*must be Tensor, not int|Dimension out of range)/,
    reason: "A number is taken wherever a second tensor is, in every operation of two operands.",
  },
  {
    op: /^linspace/,
    kind: "error",
    wrong: /^accepted; .*got \(int, int, float\)/,
    reason: "JavaScript's 1.0 is 1: a count that is whole is whole.",
  },
  {
    op: /^arange$/,
    wrong: /-1 does not fit u8/,
    reason: "What a dtype does not hold never wraps in silence: it is refused.",
  },
  {
    op: /^(add|sub|mul|floor_divide|div\/(floor|trunc)_rounding|remainder|fmod|pow|where|masked_fill|clamp|eq|ne|lt|le|gt|ge|xlogy)$/,
    kind: "promotion",
    wrong: /^dtype f32, PyTorch's uint8|PyTorch's 253|alpha is -?\d+, which is no integer that u8 holds/,
    reason: "A number that u8 does not hold promotes as a float does, or is refused; PyTorch wraps it.",
  },
  {
    op: /^(lt|le|gt|ge)$/,
    kind: "promotion",
    wrong: /^\[0\] is [01], PyTorch's [01]; \[1\] is/,
    reason: "u8 is compared with the number that is meant, -3 or 256; PyTorch wraps it first.",
  },
  {
    op: /^masked_fill$/,
    kind: "promotion",
    wrong: /does not fit u8/,
    reason: "What u8 does not hold is refused where it is assigned; PyTorch wraps -3.",
  },
  {
    op: /^(clamp|clamp_min|clamp_max)$/,
    wrong: /a bool tensor has no clamp/,
    reason: "PyTorch refuses numbers as bounds of bools, and takes tensors of them; here neither is taken.",
  },
  {
    op: /^bitwise_(and|or|xor)$/,
    kind: "promotion",
    wrong: /a number must be one that the tensor's dtype holds/,
    reason: "The same: there are no bits of a number that the dtype does not hold.",
  },
  {
    op: /^pow$/,
    kind: "promotion",
    wrong: /^\[1\] is 3125, PyTorch's 53/,
    reason: "i8 is a storage type: it is computed in i32, and does not wrap at 127.",
  },
  {
    op: /^pow$/,
    kind: "sample",
    wrong: /PyTorch's Infinity/,
    reason: "f16 is a storage type: it is computed in f32, and does not overflow at 65504.",
  },
  {
    op: /^nn\.functional\.(pairwise_distance|triplet_margin_loss|cosine_embedding_loss)$/,
    kind: "sample",
    wrong: /^\[\d\] is /,
    reason: "Distances of u8 are of numbers; PyTorch subtracts and multiplies them in u8, where −1 is 255.",
  },
  {
    op: /^norm\/nuc$/,
    wrong: /norm|NaN/,
    reason: "The nuclear norm is a sum of singular values; there is no linear algebra yet.",
  },
  {
    op: /^SparseAdam$/,
    wrong: /^missing: no optimizer SparseAdam$/,
    reason:
      "There are no sparse gradients: an embedding's is a scatter into a dense tensor, which Adam takes.",
  },
  {
    op: /^repeat_interleave$/,
    wrong: /missing: no argument output_size/,
    reason: "A hint that spares a device a look at the counts, which are numbers here.",
  },
  {
    op: /^logsumexp$/,
    kind: "extreme",
    wrong: /^gradient 0: \[15\]/,
    reason:
      "Of two equal numbers of 3e38 each has half of the gradient; PyTorch gives each all of it, as log 2 is lost beside them.",
  },
  {
    op: /^(var|std|var_mean|std_mean)$/,
    kind: "extreme",
    wrong: /./,
    reason:
      "Rows at the edge of what f32 holds, where squares are lost; PyTorch adds some of them up in f64.",
  },
];

/** Says which entries have been needed. */
export class Acceptance {
  readonly #used = new Set<Accepted>();

  /** Whether a failure is on the list. */
  takes(op: string, kind: string, wrong: string): boolean {
    const entry = accepted.find(
      (a) => a.op.test(op) && (a.kind === undefined || a.kind === kind) && a.wrong.test(wrong),
    );
    if (entry !== undefined) this.#used.add(entry);
    return entry !== undefined;
  }

  /** Entries that nothing has needed. */
  get dead(): string[] {
    return accepted.filter((a) => !this.#used.has(a)).map(({ op, wrong }) => `${op} ${wrong}`);
  }
}
