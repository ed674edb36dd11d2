import * as nn from "thaw/nn"; import { freeze } from "thaw/freeze";
class Attn extends nn.Module { q = new nn.Linear(1,1); k = new nn.Linear(1,1); v = new nn.Linear(1,1); o = new nn.Linear(1,1); }
class Block extends nn.Module { n1 = new nn.LayerNorm(1); attn = new Attn(); n2 = new nn.LayerNorm(1); up = new nn.Linear(1,1); down = new nn.Linear(1,1); }
class Net extends nn.Module { emb = new nn.Embedding(1,1);
  layer0 = new Block();
  layer1 = new Block();
  layer2 = new Block();
  layer3 = new Block();
  layer4 = new Block();
  layer5 = new Block();
  layer6 = new Block();
  layer7 = new Block();
  layer8 = new Block();
  layer9 = new Block();
  layer10 = new Block();
  layer11 = new Block();
  layer12 = new Block();
  layer13 = new Block();
  layer14 = new Block();
  layer15 = new Block();
  layer16 = new Block();
  layer17 = new Block();
  layer18 = new Block();
  layer19 = new Block();
  layer20 = new Block();
  layer21 = new Block();
  layer22 = new Block();
  layer23 = new Block();
  head = new nn.Linear(1,1); }
const net = new Net();
void net;
