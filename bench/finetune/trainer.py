"""A whole training with transformers' Trainer, for run.ts; fit.mjs does the same."""

import argparse
import json
import os
import resource

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
for name in ("--model", "--data", "--out"):
    parser.add_argument(name)
for name in ("--batch", "--epochs", "--max-length"):
    parser.add_argument(name, type=int)
options = parser.parse_args()

with open(options.data) as lines:
    examples = [json.loads(line) for line in lines]
names = sorted({example["label"] for example in examples})
tokenizer = AutoTokenizer.from_pretrained(options.model)
encoded = tokenizer([example["text"] for example in examples], truncation=True, max_length=options.max_length)
train = [
    {**{key: encoded[key][i] for key in encoded}, "labels": names.index(example["label"])}
    for i, example in enumerate(examples)
]
model = AutoModelForSequenceClassification.from_pretrained(
    options.model, num_labels=len(names), id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)}
)
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir=options.out,
        per_device_train_batch_size=options.batch,
        num_train_epochs=options.epochs,
        learning_rate=2e-5,
        weight_decay=0.01,
        warmup_steps=0.1,
        save_strategy="epoch",
        save_total_limit=2,
        optim="adamw_torch_fused",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[],
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        seed=1,
    ),
    train_dataset=train,
    data_collator=DataCollatorWithPadding(tokenizer),
    processing_class=tokenizer,
    callbacks=[],
)
trainer.remove_callback(transformers.PrinterCallback)
result = trainer.train()
trainer.save_model(options.out)
used = resource.getrusage(resource.RUSAGE_SELF)
print(
    json.dumps(
        {"loss": result.training_loss, "peakMiB": used.ru_maxrss / 1024, "cpuSeconds": used.ru_utime + used.ru_stime}
    )
)
