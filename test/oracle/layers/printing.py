"""What print(tensor) gives."""

import torch

from ops.case import packed

INF, NAN = float("inf"), float("nan")


def shown():
    """Tensors of every kind that PyTorch prints in a way of its own."""
    torch.manual_seed(7)
    f64, i32, u8 = torch.float64, torch.int32, torch.uint8
    return [
        torch.tensor(3.0), torch.tensor(3.14159), torch.tensor(-0.0), torch.tensor(1e-8), torch.tensor(1e10),
        torch.tensor(INF), torch.tensor(NAN), torch.tensor(True), torch.tensor(7, dtype=i32), torch.tensor(2.5, dtype=f64),
        torch.tensor([]), torch.zeros(0, 3), torch.zeros(2, 0), torch.zeros(0, dtype=i32), torch.zeros(0, dtype=torch.bool),
        torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, -2.0, 300.0]), torch.tensor([0.1, 0.25, 1 / 3]),
        torch.tensor([1.5, -2.25, 1000.0]), torch.tensor([1e-5, 1.0]), torch.tensor([1e-3, 1.0, 999.0]),
        torch.tensor([1e-3, 2000.0]), torch.tensor([1e8, 1.0]), torch.tensor([1e8, 2e8]), torch.tensor([1.0, 123456.0]),
        torch.tensor([99999.5, 0.1]), torch.tensor([1e-10, 2e-10]), torch.tensor([1e38, -1e-38]), torch.tensor([0.0, -0.0]),
        torch.tensor([NAN, 1.0, INF]), torch.tensor([NAN, NAN]), torch.tensor([1.5, -INF]), torch.tensor([1e-6, NAN, 1e6]),
        torch.tensor([0.99999, 0.5]), torch.tensor([9.99999, 1.0]), torch.tensor([0.00009, 0.1]),
        torch.tensor([True, False]), torch.tensor([[True], [False]]),
        torch.tensor([1, -20, 300], dtype=i32), torch.tensor([[1, 2], [30, 4]], dtype=i32), torch.tensor([0, 255], dtype=u8),
        torch.tensor([1.0, 0.5], dtype=f64), torch.tensor([[1e-9, 1.0]], dtype=f64), torch.tensor([1 / 3, 1e7], dtype=f64),
        torch.randn(3), torch.randn(2, 3), torch.randn(2, 3, 4), torch.randn(2, 2, 2, 2), torch.randn(1, 1), torch.randn(4, 1, 2) * 100,
        torch.randn(1, 20), torch.arange(30, dtype=i32), torch.arange(25.0), torch.randn(17) * 1e4, torch.zeros(2, 3), torch.ones(3, 2),
        torch.arange(1000.0), torch.arange(1001.0), torch.arange(2000, dtype=i32), torch.arange(1100.0).reshape(100, 11),
        torch.arange(1200.0).reshape(6, 200) / 7, torch.arange(1050, dtype=i32).reshape(7, 10, 15),
        torch.arange(1296.0).reshape(6, 6, 6, 6) * 0.5, torch.arange(2048) % 3 == 0, torch.arange(1024, dtype=f64).reshape(32, 32) / 3,
        torch.ones(7, 1, 200),
    ]  # fmt: skip


def print_cases():
    return [{"tensor": packed(tensor), "text": str(tensor)} for tensor in shown()]
