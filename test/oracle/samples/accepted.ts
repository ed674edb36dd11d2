/** A difference from PyTorch that is known and meant: which samples, what they show, and why it stays. */
export interface Accepted {
  /** Operations, modules or optimizers, by PyTorch's name with its variant. */
  readonly op: RegExp;
  readonly kind?: "sample" | "extreme" | "promotion" | "error";
  /** What the call is of, as a failure says it: options, and dtypes and shapes of its tensors. */
  readonly given?: RegExp;
  /** The only backend that shows it, where there is but one. */
  readonly on?: string;
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
    op: /^(lin|log)space/,
    kind: "error",
    wrong: /^accepted; .*got \(int, int, float\)/,
    reason: "JavaScript's 1.0 is 1: a count that is whole is whole.",
  },
  {
    op: /^(arange|scalar_tensor)$/,
    wrong: /(arange|scalarTensor): -\d+ does not fit u8/,
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
    op: /^bitwise_(and|or|xor)$/,
    kind: "promotion",
    wrong: /a number must be one that the tensor's dtype holds/,
    reason: "There are no bits of a number that the dtype does not hold; PyTorch wraps it.",
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
    op: /^(norm\/nuc|linalg\.norm)/,
    wrong: /norm|NaN/,
    reason: "The nuclear norm and those of orders 2 and −2 are of singular values, which there are not yet.",
  },
  {
    op: /^SparseAdam$/,
    wrong: /^missing: no optimizer SparseAdam$/,
    reason:
      "There are no sparse gradients: an embedding's is a scatter into a dense tensor, which Adam takes.",
  },
  {
    op: /^cov$/,
    given: /"input":"float64.*"aweights":"float32/,
    wrong: /^\[0\] is /,
    reason: "Weights of f32 are added up in the dtype of what they weigh, f64; PyTorch adds them in f32.",
  },
  {
    op: /^logsumexp$/,
    kind: "extreme",
    wrong: /^gradient 0: \[15\]/,
    reason:
      "Of two equal numbers of 3e38 each has half of the gradient; PyTorch gives each all of it, as log 2 is lost beside them.",
  },
  {
    op: /^(var|std)_mean$/,
    kind: "extreme",
    wrong:
      /^result 1: \[2\] is Infinity, PyTorch's NaN; \[3\] is -Infinity, PyTorch's NaN(; \[5\] is Infinity, PyTorch's (2|1\.99\d+)e\+38)?(; \[9\] is 0, PyTorch's 0\.33\d+)?$/,
    reason:
      "The mean beside a variance is that of mean(), here and in PyTorch; but of infinities, and of what adds up to more than f32 holds, PyTorch's running mean is another.",
  },
  {
    op: /^std$/,
    kind: "extreme",
    wrong: /^gradient 0: (\[1[567]\] is -?[\d.]+, PyTorch's NaN(; )?){3}(\[29\] [^;]*)?$/,
    reason: "A deviation of 1e38 has a gradient here, by way of f64; PyTorch's squares it in f32.",
  },
  {
    op: /^(var|std)$/,
    kind: "extreme",
    wrong: /^gradient 0: \[29\] is [^;]*$/,
    reason: "−1e20, 1e20 and 1: what their mean is, 0 or a third, depends on the order of adding.",
  },
  {
    op: /^(sum|mean|nansum)$/,
    kind: "extreme",
    on: "native",
    wrong: /^\[9\] is 0, PyTorch's (1|0\.33\d+)$/,
    reason: "−1e20, 1e20 and 1 add up to 1 or, in the order of native's lanes, to 0.",
  },
  {
    op: /^var$/,
    kind: "extreme",
    wrong: /^\[6\] is NaN, PyTorch's Infinity$/,
    reason: "1e-38, 1e-42 and 0: their squares vanish in f32; PyTorch adds up some of them in f64.",
  },
  {
    op: /^(add|sub|mul|div\/\w+|true_divide|floor_divide|pow|float_power|remainder|xlogy)$/,
    wrong: /^missing: \w+ of -?[\d.]+, which is no tensor$/,
    reason: "Two numbers are JavaScript's own to compute with: there is no tensor among them.",
  },
  {
    op: /^arange$/,
    wrong: /arange: start is false; it must be a number/,
    reason: "A boolean is no number in TypeScript.",
  },
  {
    op: /^nn\.functional\.threshold$/,
    wrong: /does not fit u8/,
    reason: "What u8 does not hold is refused where it is assigned; PyTorch wraps -9.",
  },
  {
    op: /^int$/,
    wrong: /^(\[\d+\] is (2147483647|0), PyTorch's -2147483648(; )?)+$/,
    reason:
      "A float beyond all integers becomes the nearest, and NaN 0; C++ leaves it undefined, and PyTorch's differs by machine.",
  },
  {
    op: /^nn\.functional\.(elu|selu|celu|relu6)$/,
    given: /"float\d\d\[9\]"/,
    wrong: /^gradient 0: (\[\d\] is (NaN|0), PyTorch's -?[\d.]+(; )?)+$/,
    reason:
      "Of nine NaN PyTorch's vector code gives eight a gradient of NaN (0 under relu6), and what is left over its own.",
  },
  {
    op: /^nn\.functional\.celu$/,
    given: /"float64/,
    wrong: /^gradient 0: \[\d+\] is -?[\d.]+e-27\d, /,
    reason: "In f64 too PyTorch rounds 1 / alpha to f32.",
  },
  {
    op: /^addcdiv$/,
    given: /"tensor1":"b?float16/,
    wrong: /^gradient 2: /,
    reason: "Of a bf16 numerator among f32 PyTorch rounds a product of its gradient to bf16.",
  },
];

/** Says which entries have been needed. */
export class Acceptance {
  readonly #used = new Set<Accepted>();

  /** Whether a failure is on the list. */
  takes(op: string, kind: string, given: string, wrong: string): boolean {
    const entry = accepted.find(
      (a) =>
        a.op.test(op) &&
        (a.kind === undefined || a.kind === kind) &&
        (a.given === undefined || a.given.test(given)) &&
        a.wrong.test(wrong),
    );
    if (entry !== undefined) this.#used.add(entry);
    return entry !== undefined;
  }

  /** Entries that nothing has needed; those of one backend are not asked about. */
  get dead(): string[] {
    return accepted
      .filter((a) => a.on === undefined && !this.#used.has(a))
      .map(({ op, wrong }) => `${op} ${wrong}`);
  }
}
