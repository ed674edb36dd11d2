"""Losses with the gradients of every floating input."""

import torch
import torch.nn.functional as F

from ops.case import case, indices, normal, uniform, values

REDUCTIONS = ["mean", "sum", "none"]
TARGETS = values([2, 0, 4, 1, 2, 3], torch.int64)
IGNORING = values([2, -100, 4, 1, -100, 3], torch.int64)
IGNORING_ONE = values([2, 1, 4, 1, 0, 3], torch.int64)
WEIGHT = values([0.5, 1.0, 2.0, 0.25, 1.5])
WEIGHTS = values([0.5, 3.0, 2.0])


def probabilities():
    """Rows that sum to one."""
    return values([[0.1, 0.2, 0.3, 0.15, 0.25], [0.0, 1.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.2, 0.2, 0.2],
                   [0.5, 0.0, 0.25, 0.0, 0.25], [0.05, 0.05, 0.8, 0.05, 0.05], [0.0, 0.3, 0.3, 0.4, 0.0]])  # fmt: skip


def cross_entropies():
    loss = F.cross_entropy
    for r in REDUCTIONS:
        case("crossEntropy", r, normal(6, 5), TARGETS, call=loss, reduction=r)
        case("crossEntropy", f"weight {r}", normal(6, 5), TARGETS, call=loss, weight=WEIGHT, reduction=r)
        case("crossEntropy", f"ignored {r}", normal(6, 5), IGNORING, call=loss, reduction=r)
        case("crossEntropy", f"ignore index 1 {r}", normal(6, 5), IGNORING_ONE, call=loss, reduction=r, ignoreIndex=1)
        case("crossEntropy", f"smoothing {r}", normal(6, 5), TARGETS, call=loss, reduction=r, labelSmoothing=0.1)
        case("crossEntropy", f"everything {r}", normal(6, 5), IGNORING, call=loss, weight=WEIGHT, reduction=r, labelSmoothing=0.2)
        case("crossEntropy", f"soft {r}", normal(6, 5), probabilities(), call=loss, reduction=r)
        case("crossEntropy", f"soft weight {r}", normal(6, 5), probabilities(), call=loss, weight=WEIGHT, reduction=r)
        case("crossEntropy", f"soft smoothing {r}", normal(6, 5), probabilities(), call=loss, reduction=r, labelSmoothing=0.1)
        case("crossEntropy", f"positions {r}", normal(2, 3, 4), indices(2, 4, high=3), call=loss, reduction=r)
    case("crossEntropy", "one row", normal(5), values(3, torch.int64), call=loss)
    case("crossEntropy", "large", values([[1000.0, 0.0], [-1000.0, 1000.0]]), values([1, 1], torch.int64), call=loss)
    case("crossEntropy", "all ignored", normal(2, 3), values([-100, -100], torch.int64), call=loss, grad=False)
    case("crossEntropy", "second", normal(3, 4), values([2, 0, 3], torch.int64), call=loss, second=True)


def likelihoods():
    loss = F.nll_loss
    for r in REDUCTIONS:
        case("nllLoss", r, normal(6, 5), TARGETS, call=loss, reduction=r)
        case("nllLoss", f"weight {r}", normal(6, 5), TARGETS, call=loss, weight=WEIGHT, reduction=r)
        case("nllLoss", f"ignored {r}", normal(6, 5), IGNORING, call=loss, reduction=r)
    for r in [*REDUCTIONS, "batchmean"]:
        case("klDivLoss", r, uniform(6, 5, low=-3, high=-0.1), probabilities(), call=F.kl_div, reduction=r)
        case("klDivLoss", f"log target {r}", uniform(6, 5, low=-3, high=-0.1), uniform(6, 5, low=-3, high=-0.1),
             call=F.kl_div, reduction=r, logTarget=True)  # fmt: skip


def distances():
    for name, loss in (("mseLoss", F.mse_loss), ("l1Loss", F.l1_loss), ("smoothL1Loss", F.smooth_l1_loss), ("huberLoss", F.huber_loss)):
        for r in REDUCTIONS:
            case(name, r, normal(4, 3), normal(4, 3), call=loss, reduction=r)
    for r in REDUCTIONS:
        case("smoothL1Loss", f"beta {r}", normal(4, 3), normal(4, 3), call=F.smooth_l1_loss, reduction=r, beta=0.5)
        case("huberLoss", f"delta {r}", normal(4, 3), normal(4, 3), call=F.huber_loss, reduction=r, delta=0.5)
    case("smoothL1Loss", "beta 0", normal(4, 3), normal(4, 3), call=F.smooth_l1_loss, beta=0.0)
    case("l1Loss", "equal", values([1.0, 2.0]), values([1.0, 0.0]), call=F.l1_loss)
    case("mseLoss", "second", normal(2, 3), normal(2, 3), call=F.mse_loss, second=True)


def binaries():
    bce, logits = F.binary_cross_entropy, F.binary_cross_entropy_with_logits
    for r in REDUCTIONS:
        case("bceLoss", r, uniform(4, 3, low=0.02, high=0.98), uniform(4, 3), call=bce, reduction=r)
        case("bceLoss", f"weight {r}", uniform(4, 3, low=0.02, high=0.98), uniform(4, 3), call=bce, reduction=r, weight=WEIGHTS)
        case("bceWithLogitsLoss", r, normal(4, 3, scale=3.0), uniform(4, 3), call=logits, reduction=r)
        case("bceWithLogitsLoss", f"pos weight {r}", normal(4, 3, scale=3.0), uniform(4, 3), call=logits, reduction=r, posWeight=WEIGHTS)
        case("bceWithLogitsLoss", f"weight {r}", normal(4, 3, scale=3.0), uniform(4, 3), call=logits, reduction=r, weight=WEIGHTS)
    case("bceLoss", "certain", values([0.0, 1.0, 1.0, 0.0]), values([0.0, 1.0, 0.0, 1.0]), call=bce, reduction="none", grad=False)
    case("bceWithLogitsLoss", "large", values([1000.0, -1000.0, 1000.0]), values([1.0, 0.0, 0.0]), call=logits, reduction="none")
    case("bceWithLogitsLoss", "second", normal(2, 3), uniform(2, 3), call=logits, second=True)


SIGNS = values([[1, -1, 1], [-1, -1, 1], [1, 1, -1], [-1, 1, 1]], torch.int64)
ROW_SIGNS = values([1, -1, -1, 1], torch.int64)
LISTS = values([[2, 0, -1, 1], [-1, 1, 2, 3], [3, 3, 1, 0]], torch.int64)
PICKED = values([2, 0, 3], torch.int64)
CLASS_WEIGHT = values([0.5, 2.0, 1.0, 0.25])
SHORT = values([0.3, 0.7, 1.2, 2.1])


def margins():
    for r in REDUCTIONS:
        case("softMarginLoss", r, normal(4, 3), SIGNS, call=F.soft_margin_loss, reduction=r)
        case("hingeEmbeddingLoss", r, normal(4, 3), SIGNS, call=F.hinge_embedding_loss, reduction=r)
        case("hingeEmbeddingLoss", f"margin {r}", normal(4, 3), SIGNS, call=F.hinge_embedding_loss, reduction=r, margin=0.3)
        case("marginRankingLoss", r, normal(4, 3), normal(4, 3), SIGNS, call=F.margin_ranking_loss, reduction=r)
        case("marginRankingLoss", f"margin {r}", normal(4, 3), normal(4, 3), SIGNS, call=F.margin_ranking_loss, reduction=r, margin=0.5)
        case("cosineEmbeddingLoss", r, normal(4, 3), normal(4, 3), ROW_SIGNS, call=F.cosine_embedding_loss, reduction=r)
        case("cosineEmbeddingLoss", f"margin {r}", normal(4, 3), normal(4, 3), ROW_SIGNS, call=F.cosine_embedding_loss, reduction=r, margin=-0.4)
        case("multiMarginLoss", r, normal(3, 4), PICKED, call=F.multi_margin_loss, reduction=r)
        case("multiMarginLoss", f"everything {r}", normal(3, 4), PICKED, call=F.multi_margin_loss, reduction=r, p=2, margin=0.7, weight=CLASS_WEIGHT)
        case("multilabelMarginLoss", r, normal(3, 4), LISTS, call=F.multilabel_margin_loss, reduction=r)
        case("multilabelSoftMarginLoss", r, normal(3, 4), uniform(3, 4), call=F.multilabel_soft_margin_loss, reduction=r)
        case("multilabelSoftMarginLoss", f"weight {r}", normal(3, 4), uniform(3, 4), call=F.multilabel_soft_margin_loss, reduction=r, weight=CLASS_WEIGHT)
        case("tripletMarginLoss", r, normal(4, 3), normal(4, 3), normal(4, 3), call=F.triplet_margin_loss, reduction=r)
        case("tripletMarginLoss", f"everything {r}", normal(4, 3), normal(4, 3), normal(4, 3), call=F.triplet_margin_loss, reduction=r,
             margin=0.4, p=1.0, eps=0.01, swap=True)  # fmt: skip
        case("tripletMarginWithDistanceLoss", f"swap {r}", normal(4, 3), normal(4, 3), normal(4, 3),
             call=F.triplet_margin_with_distance_loss, reduction=r, swap=True)  # fmt: skip
    case("cosineEmbeddingLoss", "one pair", normal(3), normal(3), values(-1, torch.int64), call=F.cosine_embedding_loss)
    case("multiMarginLoss", "one row", normal(4), values(1, torch.int64), call=F.multi_margin_loss, reduction="none")
    case("multilabelMarginLoss", "one row", normal(3), values([1, -1, 0], torch.int64), call=F.multilabel_margin_loss, reduction="none")
    case("softMarginLoss", "second", normal(4), ROW_SIGNS, call=F.soft_margin_loss, second=True)


def distributions():
    poisson, gaussian = F.poisson_nll_loss, F.gaussian_nll_loss
    counts = values([[0.0, 1.0, 2.0], [3.0, 5.0, 1.0]])
    for r in REDUCTIONS:
        case("poissonNllLoss", r, normal(2, 3), counts, call=poisson, reduction=r)
        case("poissonNllLoss", f"rates {r}", uniform(2, 3), counts, call=poisson, reduction=r, logInput=False, eps=0.01)
        case("gaussianNllLoss", r, normal(4, 3), normal(4, 3), uniform(4, 3, low=0.1), call=gaussian, reduction=r)
        case("gaussianNllLoss", f"one a row {r}", normal(4, 3), normal(4, 3), SHORT, call=gaussian, reduction=r, full=True)
    case("poissonNllLoss", "full", normal(2, 3), values([[1.5, 1.0, 2.0], [3.0, 5.0, 0.5]]), call=poisson, full=True)
    case("gaussianNllLoss", "one a column", normal(4, 3), normal(4, 3), uniform(1, 3, low=0.1), call=gaussian)
    case("gaussianNllLoss", "raised", normal(3), normal(3), values([0.0, 0.1, 2.0]), call=gaussian, eps=0.5)


def saturated():
    wrong = values([0.0, 1.0, 1.0, 0.0, 0.25]), values([1.0, 0.0, 1.0, 0.0, 0.5])
    for r in REDUCTIONS:
        case("bceLoss", f"saturated {r}", *wrong, call=lambda x, t, **k: F.binary_cross_entropy(x, t.detach(), **k), reduction=r)


def add_cases():
    cross_entropies()
    margins()
    distributions()
    saturated()
    likelihoods()
    distances()
    binaries()
