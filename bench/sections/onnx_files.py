"""What ONNX Runtime predicts with the files of a tuned folder, for run.ts."""

import argparse
import json
import warnings

warnings.filterwarnings("ignore")
import onnxruntime  # noqa: E402
from transformers import AutoConfig, AutoTokenizer  # noqa: E402

parser = argparse.ArgumentParser()
for name in ("--folder", "--test"):
    parser.add_argument(name)
options = parser.parse_args()
names = AutoConfig.from_pretrained(options.folder).id2label
tokenizer = AutoTokenizer.from_pretrained(options.folder)
with open(options.test) as lines:
    texts = [json.loads(line)["text"] for line in lines]
settings = onnxruntime.SessionOptions()
settings.intra_op_num_threads = 1
found = {}
for name in ("model", "model_quantized"):
    session = onnxruntime.InferenceSession(f"{options.folder}/onnx/{name}.onnx", settings)
    wanted = {x.name for x in session.get_inputs()}
    labels = []
    for at in range(0, len(texts), 16):
        made = tokenizer(texts[at : at + 16], truncation=True, max_length=64, padding=True, return_tensors="np")
        (logits,) = session.run(["logits"], {k: v.astype("int64") for k, v in made.items() if k in wanted})
        labels += [names[i] for i in logits.argmax(1).tolist()]
    found[name] = labels
print(json.dumps(found))
