"""Steps of tuning a classifier of texts with transformers, for run.ts; thaw.mjs does the same.

    python pytorch.py --model FOLDER --inputs FILE [--compiled]

`../peers/pytorch.py` has the protocol. Attention is `sdpa`, the optimizer is fused, and batches are padded to their longest text.
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch  # noqa: E402
import transformers  # noqa: E402

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()

spec = importlib.util.spec_from_file_location("peer", Path(__file__).parent.parent / "peers" / "pytorch.py")
peer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(peer)

parser = argparse.ArgumentParser()
parser.add_argument("--model")
parser.add_argument("--inputs")
parser.add_argument("--compiled", action="store_true")
options = parser.parse_args()
given = json.loads(Path(options.inputs).read_text())

HEAD = ("classifier.", "bert.pooler.")
TRAINED = {"head": HEAD, "top": (*HEAD, "bert.encoder.layer.4.", "bert.encoder.layer.5."), "all": ("",)}


def batches_of(size):
    for at in range(0, len(given["rows"]) - size + 1, size):
        rows = given["rows"][at : at + size]
        longest = max(map(len, rows))
        padded = lambda of: torch.tensor([of(row) for row in rows])
        yield {
            "input_ids": padded(lambda row: row + [0] * (longest - len(row))),
            "attention_mask": padded(lambda row: [1] * len(row) + [0] * (longest - len(row))),
            "token_type_ids": padded(lambda row: [0] * longest),
            "labels": torch.tensor(given["labels"][at : at + size]),
        }


def build(workload, _):
    kind, size = workload.split(" ")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=10)
    if kind == "lora":
        import peft

        model = peft.get_peft_model(
            model, peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"], r=8, lora_alpha=8)
        )
    else:
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith(TRAINED[kind])
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-5, fused=True)
    run = torch.compile(model, dynamic=True) if options.compiled else model
    batches = list(batches_of(int(size)))
    at = 0

    def step():
        nonlocal at
        loss = run(**batches[at % len(batches)]).loss
        at += 1
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


peer.build = build
# Times are of the processor.
peer.time.perf_counter = peer.time.process_time
peer.print_line({"ready": True, "system": "pytorch", "version": torch.__version__, "transformers": transformers.__version__})
BUILT = {}
for line in sys.stdin:
    try:
        peer.print_line(peer.answer(json.loads(line), BUILT, "compile" if options.compiled else "eager"))
    except Exception as error:  # the harness is told
        peer.print_line({"error": f"{type(error).__name__}: {error}"})
