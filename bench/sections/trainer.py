"""One training with one seed by transformers' Trainer, for run.ts; fit.mjs does the same."""

import argparse
import json
import os

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
parser = argparse.ArgumentParser()
for name in ("--model", "--train", "--test", "--out", "--trains"):
    parser.add_argument(name)
parser.add_argument("--rate", type=float)
for name in ("--epochs", "--seed"):
    parser.add_argument(name, type=int)
options = parser.parse_args()


def read(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines]


transformers.set_seed(options.seed)
train, test = read(options.train), read(options.test)
names = sorted({example["label"] for example in train})
tokenizer = AutoTokenizer.from_pretrained(options.model)


def encoded(examples):
    made = tokenizer([example["text"] for example in examples], truncation=True, max_length=64)
    return [
        {**{key: made[key][i] for key in made}, "labels": names.index(example["label"])}
        for i, example in enumerate(examples)
    ]


model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=len(names))
last = f"bert.encoder.layer.{model.config.num_hidden_layers - 1}."
groups = {}
for name, parameter in model.named_parameters():
    is_head = name.startswith("classifier.")
    parameter.requires_grad = options.trains == "all" or is_head or name.startswith(("bert.pooler.", last))
    if parameter.requires_grad:
        decays = not (name.endswith(".bias") or "LayerNorm" in name)
        groups.setdefault((is_head, decays), []).append(parameter)
optimizer = torch.optim.AdamW(
    [
        {"params": params, "lr": 1e-3 if is_head else options.rate, "weight_decay": 0.01 if decays else 0.0}
        for (is_head, decays), params in groups.items()
    ]
)
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir=options.out,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=64,
        num_train_epochs=options.epochs,
        warmup_steps=0.1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        seed=options.seed,
    ),
    train_dataset=encoded(train),
    data_collator=DataCollatorWithPadding(tokenizer),
    optimizers=(optimizer, None),
)
trainer.remove_callback(transformers.PrinterCallback)
result = trainer.train()
logits = trainer.predict(encoded(test)).predictions
print(
    json.dumps(
        {"fitMs": 1000 * result.metrics["train_runtime"], "predicted": [names[i] for i in logits.argmax(1).tolist()]}
    )
)
