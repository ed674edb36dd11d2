"""Opens the adapters that write.ts has written, with PEFT, and compares what it computes.

pip install torch==2.13.0 transformers==5.24.0 peft==0.21.2 && npx tsx docs/adapters/write.ts FOLDER && python docs/adapters/open.py FOLDER
"""

import json
import sys
import warnings
from pathlib import Path

import peft
import torch
import transformers

warnings.simplefilter("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
folder = Path(sys.argv[1])
found = json.loads((folder / "cases.json").read_text())
ids = torch.tensor(found["inputIds"])
kinds = {"classify": transformers.AutoModelForSequenceClassification, "maskedLM": transformers.AutoModelForMaskedLM}
print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
for case in found["cases"]:
    base = kinds[case["task"]].from_pretrained(folder / case["task"]).eval()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            model = peft.PeftModel.from_pretrained(base, folder / case["name"]).eval()
    except Exception as error:
        print(f"{case['name']}: {type(error).__name__}: {str(error).splitlines()[0]}")
        continue
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    difference = ((logits - torch.tensor(case["logits"])).abs().max() / logits.abs().max()).item()
    missing = [str(one.message) for one in said if "missing" in str(one.message) or "not found" in str(one.message)]
    print(f"{case['name']}: largest difference by the largest logit {difference:.1e}{' ' + missing[0][:200] if missing else ''}")
