"""Writes safetensors/: files as the format's own library, transformers and PyTorch write them, every value from a rule."""

import json

import numpy as np
import torch
from fixture import HERE, quiet
from safetensors.torch import save_file

FOLDER = HERE / "safetensors"


def patterns(count, dtype):
    """Elements whose bits are k * 2654435761 + 12345, cut to their width: NaNs, infinities and subnormals too."""
    width = torch.empty(0, dtype=dtype).element_size()
    bits = (np.arange(count, dtype=np.uint64) * 2654435761 + 12345).astype(f"<u{width}")
    return torch.frombuffer(bytearray(bits.tobytes()), dtype=dtype).clone()


def held():
    """Every dtype that thaw holds, i64 within i32, in shapes that want care."""
    tensors = {str(dtype).split(".")[1]: patterns(6, dtype).reshape(2, 3) for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int32, torch.int8, torch.uint8,
    )}
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["int64"] = torch.tensor([-(2**31), -1, 0, 2**31 - 1])
    tensors["scalar"] = torch.tensor(-0.0)
    tensors["none"] = torch.zeros(3, 0)
    tensors['"ü\\\n😀'] = torch.tensor([1.5])
    # As UTF-16 this one comes before the next, as UTF-8 after it.
    tensors["😀"] = torch.tensor([4.5])
    tensors["\uff5e"] = torch.tensor([2.5])
    tensors["__proto__"] = torch.tensor([3.5])
    return tensors


def others():
    """What becomes i32, or cannot be held."""
    return {
        "int16": torch.tensor([-(2**15), 2**15 - 1], dtype=torch.int16),
        "uint16": torch.tensor([0, 2**16 - 1], dtype=torch.uint16),
        "uint32": torch.tensor([0, 2**31 - 1], dtype=torch.uint32),
        "uint64": torch.tensor([0, 2**31 - 1], dtype=torch.uint64),
    }


def sharded():
    """A model in two files with an index, as transformers writes it."""
    folder = FOLDER / "sharded"
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    parts = [("weight", model.weight), ("bias", model.bias)]
    names = [f"model-{i + 1:05}-of-00002.safetensors" for i in range(2)]
    for name, (path, value) in zip(names, parts):
        save_file({path: value.detach()}, folder / name, metadata={"format": "pt"})
    index = {
        "metadata": {"total_size": sum(value.numel() * 4 for _, value in parts)},
        "weight_map": {path: name for name, (path, _) in zip(names, parts)},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    x = torch.tensor([[1.0, -2.0, 0.5]])
    given, made = (json.dumps(value.tolist()) for value in (x, model(x)))
    # With the spaces that the formatter wants.
    (folder / "output.json").write_text(f'{{ "input": {given}, "output": {made} }}\n')


def main():
    quiet()
    FOLDER.mkdir(exist_ok=True)
    save_file(held(), FOLDER / "held.safetensors", metadata={"format": "pt"})
    save_file(others(), FOLDER / "others.safetensors")
    save_file({"too large": torch.tensor([1, 2**31])}, FOLDER / "too-large.safetensors")
    save_file({"f8": torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)}, FOLDER / "f8.safetensors")
    sharded()


if __name__ == "__main__":
    main()
