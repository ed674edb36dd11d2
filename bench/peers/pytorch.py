"""The benchmark's workloads on PyTorch's CPU build.

    python pytorch.py --workload W2 --variant eager|fused|compile --threads 1 --runs 200 --warmup 20

prints one JSON line: { workload, system, backend, threads, captured, medianMs, minMs, runs, peakMiB,
firstStepMs, version }. `firstStepMs` runs from the start of the process, imports included, to the
end of the first step; `peakMiB` is the largest resident memory of the process.

    python pytorch.py --serve --variant fused --threads 1

is the same for a harness that interleaves systems. The first line printed is
{"ready":true,"system":…,"version":…,"threads":…}. Each line read from stdin,
{"workload":"W1","iterations":K}, is answered by one line: {"workload":…,"ms":[time of each
iteration],"peakMiB":…,"captured":…}. A workload's first request also builds it and does its first
step, timed apart as "firstStepMs" (here from the request on, without the imports); later ones go on
with the same network. `warmup` in a request asks for untimed iterations first. An error is answered
by {"error":…}. The end of stdin ends the process.

Workloads: W1 the article's two-task network, W2 and W3 multilayer perceptrons, W5 an encoder of text, matmul-N a product
of two N×N matrices. An iteration of a training workload is one step that ends by reading the loss,
as a training loop does; one of W1 alternates the tasks. Variants: `eager` is plain PyTorch, `fused`
the optimizer with fused=True, `compile` the whole step, fused optimizer included, under
torch.compile. A matrix product is the same in every variant.
"""

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402


def process_age_ms():
    """Milliseconds since the process started: the interpreter's own start counts too."""
    try:
        with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
            started = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
            return (float(uptime.read().split()[0]) - started) * 1000
    except OSError:
        return (time.perf_counter() - STARTED) * 1000


def peak_mib():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def article(variant):
    """Two first layers without bias, one for each task, and a shared one. The other task's layer has no gradient."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden_task1 = nn.Linear(3, 3, bias=False)
            self.hidden_task2 = nn.Linear(2, 3, bias=False)
            self.output = nn.Linear(3, 4, bias=False)

        def forward(self, x, task):
            hidden = self.hidden_task1 if task == 1 else self.hidden_task2
            return self.output(torch.sigmoid(hidden(x)))

    net = Network()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, fused=variant != "eager")
    batches = {1: (torch.randn(10, 3), torch.randint(4, (10,))), 2: (torch.randn(10, 2), torch.randint(4, (10,)))}

    def step(x, y, task):
        loss = nn.functional.cross_entropy(net(x, task), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    run = torch.compile(step) if variant == "compile" else step
    task = [2]

    def iterate():
        task[0] = 3 - task[0]
        return run(*batches[task[0]], task[0]).item()

    return iterate


def classifier(variant):
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=variant != "eager")
    return supervised(net, optimizer, nn.functional.cross_entropy, torch.randn(64, 784), torch.randint(10, (64,)), variant)


def wide(variant):
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(1024, 4096), nn.ReLU(), nn.Linear(4096, 1024))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=variant != "eager")
    return supervised(net, optimizer, nn.functional.mse_loss, torch.randn(256, 1024), torch.randn(256, 1024), variant)


def encoder(variant):
    import torch
    from torch import nn

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(384, 6, 1536, dropout=0, activation="gelu", batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 6)
            self.head = nn.Linear(384, 10)

        def forward(self, x):
            return self.head(self.encoder(x).mean(1))

    net = Encoder()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, fused=variant != "eager")
    return supervised(net, optimizer, nn.functional.cross_entropy, torch.randn(8, 64, 384), torch.randint(10, (8,)), variant)


def supervised(net, optimizer, loss_of, x, y, variant):
    import torch

    def step(x, y):
        loss = loss_of(net(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    run = torch.compile(step) if variant == "compile" else step
    return lambda: run(x, y).item()


def matmul(size):
    import torch

    a, b, out = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
    return lambda: torch.mm(a, b, out=out)


def build(workload, variant):
    """The function that does one iteration of a workload."""
    import torch

    torch.manual_seed(0)
    if workload.startswith("matmul-"):
        return matmul(int(workload.removeprefix("matmul-")))
    makers = {"W1": article, "W2": classifier, "W3": wide, "W5": encoder}
    if workload not in makers:
        raise ValueError(f"unknown workload {workload}: use W1, W2, W3, W5 or matmul-N")
    return makers[workload](variant)


def timed(iterate, iterations):
    times = []
    for _ in range(iterations):
        start = time.perf_counter()
        iterate()
        times.append((time.perf_counter() - start) * 1000)
    return times


def system_of(variant):
    return "pytorch" if variant == "eager" else f"pytorch-{variant}"


def is_captured(workload, variant):
    return variant == "compile" and not workload.startswith("matmul-")


def once(options):
    import torch

    torch.set_num_threads(options.threads)
    iterate = build(options.workload, options.variant)
    iterate()
    first = process_age_ms()
    timed(iterate, options.warmup)
    times = timed(iterate, options.runs)
    print_line(
        {
            "workload": options.workload,
            "system": system_of(options.variant),
            "backend": "cpu",
            "threads": options.threads,
            "captured": is_captured(options.workload, options.variant),
            "medianMs": statistics.median(times),
            "minMs": min(times),
            "runs": options.runs,
            "peakMiB": peak_mib(),
            "firstStepMs": first,
            "version": torch.__version__,
        }
    )


def serve(options):
    import torch

    torch.set_num_threads(options.threads)
    built = {}
    print_line({"ready": True, "system": system_of(options.variant), "version": torch.__version__, "threads": options.threads})
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            print_line(answer(json.loads(line), built, options.variant))
        except Exception as error:  # the harness is told, and may go on with another workload
            print_line({"error": f"{type(error).__name__}: {error}"})


def answer(request, built, variant):
    workload = request["workload"]
    reply = {"workload": workload, "captured": is_captured(workload, variant)}
    if workload not in built:
        start = time.perf_counter()
        iterate = build(workload, variant)
        iterate()
        reply["firstStepMs"] = (time.perf_counter() - start) * 1000
        built[workload] = iterate
    timed(built[workload], request.get("warmup", 0))
    reply["ms"] = timed(built[workload], request["iterations"])
    reply["peakMiB"] = peak_mib()
    return reply


def print_line(value):
    print(json.dumps(value, separators=(",", ":")), flush=True)


def main():
    parser = argparse.ArgumentParser(description="The benchmark's workloads on PyTorch.")
    parser.add_argument("--workload", default="W2")
    parser.add_argument("--variant", choices=["eager", "fused", "compile"], default="eager")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    # Libraries read these when they are loaded, which is later: torch is imported inside functions.
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    os.environ.setdefault("MKL_NUM_THREADS", str(options.threads))
    (serve if options.serve else once)(options)


if __name__ == "__main__":
    main()
