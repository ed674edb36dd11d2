"""Writes decompositions.json.gz: decompositions of matrices by PyTorch, and of what does not depend on the signs of vectors
the value, its gradient, and the gradient of that. Run with the pinned PyTorch (see README.md)."""

import torch

from fixture import SOURCE, quiet, write

torch.set_default_dtype(torch.float64)
quiet()


def weights(x, step=1.0):
    return torch.cos(torch.arange(x.numel()) * step + 1).reshape(x.shape)


def weighed(*values):
    return sum((weights(x, 1 + i / 2) * x).sum() for i, x in enumerate(values))


def qr(a):
    q, r = torch.linalg.qr(a)
    return [q, r]


def eigh(a):
    w, v = torch.linalg.eigh(a)
    return [w, v**2, v @ torch.diag_embed(torch.sin(w)) @ v.mT]


def upper(a):
    w, v = torch.linalg.eigh(a, UPLO="U")
    return [w, v**2]


def svd(a):
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    return [s, u**2, vh**2, u @ torch.diag_embed(torch.cos(s)) @ vh]


def whole(a):
    u, s, vh = torch.linalg.svd(a)
    k = s.shape[-1]
    return [s, u[..., :k] ** 2, vh[..., :k, :] ** 2]


functions = {
    "qr": qr,
    "eigh": eigh,
    "eigh of the upper triangle": upper,
    "eigvalsh": lambda a: [torch.linalg.eigvalsh(a)],
    "svd": svd,
    "svd with whole bases": whole,
    "svdvals": lambda a: [torch.linalg.svdvals(a)],
    "pinv": lambda a: [torch.linalg.pinv(a)],
    "pinv of a symmetric matrix": lambda a: [torch.linalg.pinv(a + a.mT, hermitian=True)],
    "pinv with bounds": lambda a: [torch.linalg.pinv(a, rtol=0.3), torch.linalg.pinv(a, atol=0.5)],
    "cholesky": lambda a: [torch.linalg.cholesky(a @ a.mT + torch.eye(a.shape[-2]))],
    "cholesky, upper": lambda a: [torch.linalg.cholesky(a @ a.mT + torch.eye(a.shape[-2]), upper=True)],
    "norm": lambda a: [torch.linalg.norm(a, "nuc", dim=(-2, -1)), torch.linalg.norm(a, 2, dim=(-2, -1)), torch.linalg.norm(a, -2, dim=(-2, -1))],
}
square = [[1, 1], [2, 2], [4, 4], [2, 3, 3]]
oblong = [[5, 3], [3, 5], [1, 4], [4, 1], [2, 3, 2], [2, 2, 3]]
torch.manual_seed(0)
cases = []
for name, function in functions.items():
    shapes = square + ([] if name.startswith("eig") or "symmetric" in name else oblong)
    for shape in shapes:
        # Few digits, so that what is read is what was computed with.
        a = torch.randn(shape).mul(100).round().div(100).requires_grad_()
        values = function(a)
        (slope,) = torch.autograd.grad(weighed(*values), a, create_graph=True)
        second = torch.autograd.grad(weighed(slope), a, allow_unused=True)[0] if slope.requires_grad else None
        cases.append(
            {
                "name": name,
                "shape": shape,
                "a": a.flatten().tolist(),
                "values": [v.flatten().tolist() for v in values],
                "gradient": slope.flatten().tolist(),
                "second": (torch.zeros_like(a) if second is None else second).flatten().tolist(),
            }
        )
# Ranks that are not full, and numbers that are equal or 0: values alone.
deficient = torch.outer(torch.arange(1.0, 5), torch.arange(1.0, 4))
values = []
for a in [torch.eye(4), torch.zeros(3, 2), deficient, torch.diag(torch.tensor([3.0, -3, 0]))]:
    values.append(
        {
            "shape": list(a.shape),
            "a": a.flatten().tolist(),
            "svdvals": torch.linalg.svdvals(a).tolist(),
            "pinv": torch.linalg.pinv(a).flatten().tolist(),
        }
    )
write("decompositions.json.gz", {"source": SOURCE, "cases": cases, "values": values}, digits=12)
