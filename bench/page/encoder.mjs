/**
 * An encoder with a head of ten classes over [batch, tokens, width], of `depth` layers of attention and a feed-forward net;
 * `nn`: that of the library, which a page and Node load from different places.
 */
export function encoderOf(nn, { width, heads, depth }) {
  class Layer extends nn.Module {
    before = new nn.LayerNorm(width);
    query = new nn.Linear(width, width);
    key = new nn.Linear(width, width);
    value = new nn.Linear(width, width);
    out = new nn.Linear(width, width);
    mlp = new nn.Sequential(
      new nn.LayerNorm(width),
      new nn.Linear(width, 4 * width),
      new nn.GELU(),
      new nn.Linear(4 * width, width),
    );

    forward(x) {
      const [batch, tokens] = x.shape;
      const h = this.before.forward(x);
      const split = (t) => t.reshape([batch, tokens, heads, width / heads]).transpose(1, 2);
      const [q, k, v] = [this.query, this.key, this.value].map((layer) => split(layer.forward(h)));
      const attention = q
        .matmul(k.transpose(2, 3))
        .div(Math.sqrt(width / heads))
        .softmax(-1)
        .matmul(v);
      const mixed = x.add(this.out.forward(attention.transpose(1, 2).reshape([batch, tokens, width])));
      return mixed.add(this.mlp.forward(mixed));
    }
  }

  class Encoder extends nn.Module {
    layers = new nn.Sequential(...Array.from({ length: depth }, () => new Layer()));
    head = new nn.Linear(width, 10);

    forward(x) {
      return this.head.forward(this.layers.forward(x).mean(1));
    }
  }

  return new Encoder();
}
