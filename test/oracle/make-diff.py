"""Writes diff/: two files whose tensors differ in known ways, and diff.json.gz: by how much, as NumPy and PyTorch say."""

import math

import numpy as np
import torch
from fixture import HERE, SOURCE, quiet, write
from safetensors.torch import save_file

FOLDER = HERE / "diff"
SMALL = (
    torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
)
DTYPES = (
    torch.float64, torch.float32, *SMALL, torch.float8_e8m0fnu, torch.int64, torch.uint64, torch.int32, torch.uint32,
    torch.int16, torch.uint16, torch.int8, torch.uint8,
)
SHAPE = (12, 3, 5)


def name_of(dtype):
    return str(dtype).split(".")[1]


def from_bits(bits, dtype):
    width = torch.empty(0, dtype=dtype).element_size()
    return torch.frombuffer(bytearray(bits.astype(f"<u{width}").tobytes()), dtype=dtype).clone().reshape(SHAPE)


def bits_of(tensor):
    """The bits of each element, as an integer."""
    width = tensor.element_size()
    return np.frombuffer(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes(), f"<u{width}")


def numbers_of(tensor):
    """The values of elements, exactly: integers as they are, floats as float64."""
    flat = tensor.reshape(-1)
    return flat.tolist() if not flat.dtype.is_floating_point else flat.to(torch.float64).tolist()


def expectation(before, after):
    """How `after` differs from `before`, of one dtype, element by element."""
    bits_before, bits_after = bits_of(before), bits_of(after)
    x, y = numbers_of(before), numbers_of(after)
    changed = [i for i in range(len(x)) if bits_before[i] != bits_after[i]]
    only_bits = [i for i in changed if x[i] == y[i] or (x[i] != x[i] and y[i] != y[i])]
    moved = [i for i in changed if i not in only_bits]
    measured = [y[i] - x[i] for i in moved if math.isfinite(x[i]) and math.isfinite(y[i])]
    measured = [d for d in measured if math.isfinite(d)]
    # In units of the largest, so that no square overflows.
    unit = float(max((abs(d) for d in measured), default=1)) or 1.0
    norm = unit * math.sqrt(math.fsum((d / unit) ** 2 for d in measured))
    finite = [v for v in x if math.isfinite(v)]
    length = math.sqrt(math.fsum(float(v) * float(v) for v in finite))
    return {
        "elements": len(x),
        "changed": len(changed),
        "onlyBits": len(only_bits),
        "unmeasured": len(moved) - len(measured),
        "bitsChanged": sum(int(bits_before[i] ^ bits_after[i]).bit_count() for i in changed),
        "maxChange": float(max((abs(d) for d in measured), default=0)),
        "norm": norm,
        "relative": None if length == 0 else norm / length,
        "rowsChanged": len({i // (SHAPE[1] * SHAPE[2]) for i in changed}),
    }


def same_dtype(rng):
    """Random values, some of which have random bits instead, or a bit that differs."""
    before, after, expected = {}, {}, {}
    for dtype in DTYPES:
        width = 8 * torch.empty(0, dtype=dtype).element_size()
        count = math.prod(SHAPE)
        if dtype == torch.float64:
            # Squares of any bits would leave float64.
            bits = rng.normal(size=count).view(np.uint64)
        else:
            bits = rng.integers(0, 2**width - 1, count, dtype=np.uint64, endpoint=True)
        flips = np.zeros(count, np.uint64)
        places = rng.choice(count // 2, 20, replace=False) + count // 4
        low = width if dtype != torch.float64 else 55
        flips[places] = np.uint64(1) << rng.integers(0, low, 20, dtype=np.uint64)
        # A zero of the other sign, where there is one.
        bits[0], flips[0] = 0, np.uint64(1) << np.uint64(width - 1)
        name = name_of(dtype)
        before[name], after[name] = from_bits(bits, dtype), from_bits(bits ^ flips, dtype)
        expected[name] = expectation(before[name], after[name])
    return before, after, expected


def re_typed(rng):
    """Values of F32 beside what PyTorch rounds them to: ties, subnormals, what is too large, signs of zero."""
    bits = rng.integers(0, 2**32, 800, dtype=np.uint64).astype(np.uint32)
    spread = torch.from_numpy(bits.view(np.float32).copy())
    usual = torch.from_numpy(rng.normal(size=800).astype(np.float32) * np.float32(2.0) ** rng.integers(-20, 12, 800))
    ties = torch.cat([usual[:100].to(dtype).to(torch.float32) * (1 + 2.0**-k) for dtype, k in (
        (torch.bfloat16, 8), (torch.float16, 11), (torch.float8_e4m3fn, 4), (torch.float8_e5m2, 3),
    )])
    values = torch.cat([spread, usual, ties, torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan])])
    before, after = {}, {}
    for dtype in SMALL:
        before[f"to {name_of(dtype)}"], after[f"to {name_of(dtype)}"] = values, values.to(dtype)
    return before, after


def main():
    quiet()
    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    before, after, expected = same_dtype(rng)
    wide, narrow = re_typed(rng)
    save_file(before, FOLDER / "before.safetensors")
    save_file(after, FOLDER / "after.safetensors")
    save_file({"values": next(iter(wide.values()))}, FOLDER / "values.safetensors")
    save_file(narrow, FOLDER / "rounded.safetensors")
    write("diff.json.gz", {"format": "diff/1", "source": SOURCE, "changes": expected, "rounded": list(narrow)})


if __name__ == "__main__":
    main()
