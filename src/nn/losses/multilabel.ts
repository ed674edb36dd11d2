import { isFloat } from "../../base/dtype.ts";
import { DTypeError, IndexError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { sameShape, shapeText } from "../../base/shape.ts";
import { node } from "../../ir/node.ts";
import { Buffer } from "../../tensor/buffer.ts";
import { logSigmoid } from "../../tensor/operations/activation.ts";
import { checkElements } from "../../tensor/operations/check-elements.ts";
import {
  add,
  and,
  div,
  eq,
  ge,
  gt,
  like,
  lt,
  mul,
  neg,
  or,
  sub,
  where,
} from "../../tensor/operations/elementwise.ts";
import { reshape, unsqueeze } from "../../tensor/operations/movement.ts";
import { cumsum, sum } from "../../tensor/operations/reduction.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { floatNode, type LossOptions, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair, weight } from "./signature.ts";

/** Losses of rows that belong to several classes. */

/**
 * Σ max(0, 1 − (input[y] − input[c])) over the classes y that a row belongs to and the classes c that it does not, over
 * how many classes there are.
 *
 * Takes scores of [N, C] or [C], and targets of the same shape: the classes of a row, from the first on, up to the first
 * −1. `reduction` is "mean" unless given. It compares all classes with all: C² numbers a row.
 * Throws `ShapeError` for other shapes, `IndexError` for a target that is neither a class nor −1, `DTypeError` for
 * scores of integers and targets of floats.
 * Source: `torch.nn.functional.multilabel_margin_loss`.
 * Example: `multilabelMarginLoss(tensor([[0.1, 0.2, 0.4]]), tensor([[2, 0, -1]], { dtype: "i32" }))`.
 */
export const multilabelMarginLoss = checked("multilabelMarginLoss", takesPair(), multilabelMarginLossOf);

function multilabelMarginLossOf(
  input: Tensor,
  target: Tensor,
  { reduction = "mean" }: LossOptions = {},
): Tensor {
  const op = "multilabelMarginLoss";
  const given = floatNode(op, input);
  const [rows, classes] = (input.ndim === 2 ? input.shape : [1, input.shape[0] ?? 1]) as [number, number];
  if (input.ndim > 2 || classes === 0 || !sameShape(input.shape, target.shape))
    throw new ShapeError(
      `${op}: takes scores of [N, C] or [C] and targets of the same shape, not ${shapeText(input.shape)} and ${shapeText(target.shape)}`,
    );
  if (isFloat(target.dtype) || target.dtype === "bool")
    throw new DTypeError(`${op}: class targets are integers, not ${target.dtype}; cast them with to("i32")`);
  const x = reshape(given, [rows, classes]);
  const t = reshape(like(target.node, target.shape, "i32", op), [rows, classes]);
  const listed = eq(cumsum(lt(t, 0), 1), 0);
  // [N, place in the list, class], then how often each class is in it: one that is twice counts twice.
  const iota = node("iota", [], { shape: [1, 1, classes], axis: 2, dtype: "i32" });
  const hits = and(unsqueeze(listed, 2), eq(unsqueeze(t, 2), iota));
  const times = sum(hits, 1);
  const short = sub(add(unsqueeze(x, 1), 1), unsqueeze(x, 2));
  const counts = and(gt(short, 0), unsqueeze(eq(times, 0), 1));
  const terms = mul(where(counts, short, 0), unsqueeze(times, 2));
  const loss = div(sum(terms, [1, 2]), classes);
  checkElements(
    target.node,
    {
      meets: (v) => v >= -1 && v < classes,
      fails: () => or(lt(t, -1), ge(t, classes)),
      error: (v, place) =>
        new IndexError(
          `${op}: ${v === undefined ? "a target" : `target ${v} at position ${place}`} is neither one of ${classes} classes nor -1`,
        ),
    },
    () => loss,
  );
  return new Tensor(reduceLoss(op, input.ndim === 2 ? loss : reshape(loss, []), reduction));
}

/**
 * Σ max(0, 1 − (input[y] − input[c])) over the classes y that a row belongs to and the classes c that it does not,
 * over how many classes there are.
 *
 * Takes scores of [N, C] or [C], and integer targets of the same shape: the classes of a row, from the first on, up
 * to the first −1. `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each row.
 * Throws `ShapeError` for other shapes, `IndexError` for a target that is neither a class nor −1, `DTypeError` for
 * scores of integers and targets of floats.
 * Source: `torch.nn.MultiLabelMarginLoss`.
 * Example: `new nn.MultiLabelMarginLoss().forward(randn([1, 4]), tensor([[3, 0, -1, 1]], { dtype: "i32" }))`.
 */
export class MultiLabelMarginLoss extends Module {
  readonly reduction: Reduction;

  constructor(options: LossOptions = {}) {
    refuseOptions("MultiLabelMarginLoss", options, { reduction: null });
    const { reduction = "mean" } = options;
    super();
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return multilabelMarginLoss(input, target, this);
  }
}

/** Options of `multilabelSoftMarginLoss`. */
export interface MultilabelOptions extends LossOptions {
  /** A weight for each class. */
  weight?: Tensor | null;
}

/**
 * The mean over classes of −(target · log sigmoid(input) + (1 − target) · log sigmoid(−input)).
 *
 * Takes logits of [N, C] or [*, C], and targets of 0 and 1 that broadcast with them. `reduction` is "mean" unless given.
 * Throws `ShapeError` for a scalar, and for shapes that do not broadcast; `DTypeError` for logits of integers.
 * Source: `torch.nn.functional.multilabel_soft_margin_loss`. Example: `multilabelSoftMarginLoss(logits, targets)`.
 */
export const multilabelSoftMarginLoss = checked(
  "multilabelSoftMarginLoss",
  takesPair({ weight }),
  multilabelSoftMarginLossOf,
);

function multilabelSoftMarginLossOf(
  input: Tensor,
  target: Tensor,
  { weight = null, reduction = "mean" }: MultilabelOptions = {},
): Tensor {
  const op = "multilabelSoftMarginLoss";
  const x = floatNode(op, input);
  const classes = input.shape.at(-1);
  if (classes === undefined)
    throw new ShapeError(`${op}: the input is a scalar; it needs a dimension of classes`);
  const t = target.node;
  const each = neg(add(mul(t, logSigmoid(x)), mul(sub(1, t), logSigmoid(neg(x)))));
  const weighted = weight === null ? each : mul(each, weight.node);
  return new Tensor(reduceLoss(op, div(sum(weighted, input.ndim - 1), classes), reduction));
}

/**
 * The mean over classes of −(target · log sigmoid(input) + (1 − target) · log sigmoid(−input)).
 *
 * Takes logits of [N, C] or [*, C], and targets of 0 and 1 that broadcast with them. `weight`, a factor of each
 * class, is null unless given. `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each
 * row.
 * Throws `ShapeError` for a scalar, and for shapes that do not broadcast; `DTypeError` for logits of integers.
 * Source: `torch.nn.MultiLabelSoftMarginLoss`.
 * Example: `new nn.MultiLabelSoftMarginLoss().forward(randn([2, 3]), tensor([[1, 0, 1], [0, 0, 1]]))`.
 */
export class MultiLabelSoftMarginLoss extends Module {
  weight: Buffer | null;
  readonly reduction: Reduction;

  constructor(options: MultilabelOptions = {}) {
    refuseOptions("MultiLabelSoftMarginLoss", options, { weight: null, reduction: null });
    const { weight = null, reduction = "mean" } = options;
    super();
    this.weight = weight === null ? null : new Buffer(weight);
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return multilabelSoftMarginLoss(input, target, this);
  }
}
