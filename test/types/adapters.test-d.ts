import { optim, type Tensor, trainStep } from "thaw";
import { freeze, type ParameterPath, select } from "thaw/freeze";
import { BertForSequenceClassification, lora, mergeAndUnload } from "thaw/models";
import * as nn from "thaw/nn";

/** What is known of a model's paths once it has adapters, checked by the compiler alone. */

class Block extends nn.Module {
  up = new nn.Linear(4, 8);
  norm = new nn.LayerNorm(4);
}

class Network extends nn.Module {
  table = new nn.Embedding(9, 4);
  list = new nn.ModuleList([new Block()]);
  blocks = [new Block()];
  heads = new nn.ModuleDict({ a: new nn.Linear(1, 1), b: new Block() });
  pair = [new nn.Linear(1, 1), new Block()] as const;
  extra: nn.Linear | null = null;
  rate = 0.5;
  forward(x: Tensor): Tensor {
    return this.table.forward(x);
  }
}

const plain = new Network();
const net = lora(plain, { targetModules: ["up", "table"] });
const named = lora(plain, { targetModules: ["up"], adapterName: "german" });

const _isNetwork: Network = net;
const _again: Network = mergeAndUnload(net);
const _rate: number = net.rate;
const _up: nn.Linear | undefined = net.blocks[0]!.up.lora_A?.get("default");

type Offers<M, P extends string> = P extends ParameterPath<M> ? true : false;
const _offered: Offers<typeof net, "list.0.up.lora_A.default.weight"> = true;
const _table: Offers<typeof net, "table.lora_embedding_A.default"> = true;
const _german: Offers<typeof named, "heads.a.lora_B.german.weight"> = true;
const _notPlain: Offers<Network, "table.lora_embedding_A.default"> = false;

select(net, "**.lora_*.**");
select(net, ["list.*.up.lora_A.default.weight", "blocks.0.up.lora_B.**", "!pair.0.lora_A.**"]);
select(net, [
  "heads.a.lora_A.default.weight",
  "heads.b.up.**",
  "table.lora_embedding_A.default",
  "extra.lora_A.**",
]);
select(named, "list.0.up.lora_A.german.weight");
freeze(net, "list.0.up.weight");
// @ts-expect-error: a norm has no low-rank parts.
select(net, "list.0.norm.lora_A.**");
// @ts-expect-error: misspelt.
select(net, "list.0.up.lora_C.**");
// @ts-expect-error: the adapter has another name.
select(named, "list.0.up.lora_A.default.weight");
// @ts-expect-error: nothing has parts before there is an adapter.
select(plain, "list.0.up.lora_A.default.weight");

const bert = lora(new BertForSequenceClassification({}), {
  targetModules: ["query", "value"],
  modulesToSave: ["classifier"],
});
trainStep(new optim.AdamW(bert), {
  loss: () => bert.forward({ inputIds: null as never }).sum(),
  trains: [
    "bert.encoder.layer.*.attention.self.query.lora_A.default.weight",
    "**.lora_*.**",
    "classifier.**",
  ],
});
// @ts-expect-error: dense has no such part.
select(bert, "bert.pooler.dense.lora_D.**");
