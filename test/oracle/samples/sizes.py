"""The sizes that PyTorch's generators of samples draw tensors of: they are constants of its modules, which are set here."""

import sys
from contextlib import contextmanager

NAMES = ("XS", "S", "M", "L")


@contextmanager
def sizes(given):
    """Has every generator draw with these sizes (XS, S, M, L) meanwhile; None leaves PyTorch's own, (3, 5, 10, 20)."""
    modules = [m for n, m in list(sys.modules.items()) if n.startswith("torch.testing._internal") and m is not None]
    before = [(m, name, getattr(m, name)) for m in modules for name in NAMES if type(getattr(m, name, None)) is int]
    try:
        if given is not None:
            for module, name, _ in before:
                setattr(module, name, given[NAMES.index(name)])
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
