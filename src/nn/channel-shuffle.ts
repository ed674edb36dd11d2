import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/**
 * Puts channels in another order, so that each group of neighbours has one from every group before.
 *
 * Takes x of [N, C, …], C a multiple of `groups`; gives its shape. `groups` has no default.
 * Throws `ArgumentError` for groups that are no whole number above 0; `ShapeError` for fewer than three dimensions, or
 * channels that groups do not divide.
 * Source: Zhang et al., "ShuffleNet", 2018; `torch.nn.ChannelShuffle`.
 * Example: `new nn.ChannelShuffle(2).forward(randn([1, 4, 3]))`.
 */
export class ChannelShuffle extends Module {
  readonly groups: number;

  constructor(groups: number) {
    super();
    this.groups = groups;
  }
  forward(x: Tensor): Tensor {
    return channelShuffle(x, this.groups);
  }
  override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}

/** What `ChannelShuffle` does. */
export const channelShuffle = checked(
  "channelShuffle",
  takes({ x: kind.tensor, groups: kind.number }),
  channelShuffleOf,
);

function channelShuffleOf(x: Tensor, groups: number): Tensor {
  if (!Number.isInteger(groups) || groups < 1)
    throw new ArgumentError(`channelShuffle: ${groups} groups; it takes a whole number above 0`);
  const [batch, channels, ...rest] = x.shape;
  if (x.ndim < 3 || channels! % groups !== 0)
    throw new ShapeError(
      `channelShuffle: an input of shape ${shapeText(x.shape)} in ${groups} groups; it needs three dimensions or more, and channels that groups divide`,
    );
  return x
    .reshape([batch!, groups, channels! / groups, ...rest])
    .transpose(1, 2)
    .reshape(x.shape);
}
