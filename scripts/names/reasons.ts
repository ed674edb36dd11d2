/** Why names that modelling code uses are not in thaw. What none of these names is to be there. */
export const reasons: readonly { readonly reason: string; readonly names: RegExp }[] = [
  {
    reason: "convolution, and what unfolds images for it",
    names: /^(F|nn)\.(conv|Conv|ConvTranspose|conv_transpose|fold|unfold|Fold|Unfold|utils\.fusion)/,
  },
  { reason: "pooling", names: /^(F|nn)\.(adaptive_)?(Adaptive)?(avg_|max_|Avg|Max)[pP]ool\dd$/ },
  {
    reason: "interpolation",
    names: /^(F\.(interpolate|grid_sample|affine_grid)|nn\.Upsample|\.resize)$/,
  },
  {
    reason: "complex numbers",
    names: /^(torch\.(fft\.|view_as_|polar$|complex|stft$|istft$|conj$)|\.conj$)/,
  },
  { reason: "probability distributions as objects", names: /^torch\.distributions\./ },
  { reason: "recurrent layers", names: /^nn\.(RNN|GRU|LSTM)(Cell)?$/ },
  {
    reason: "several devices or processes",
    names: /^(torch\.(distributed|accelerator|_C\._get_accelerator|neuron)\b.*|nn\.SyncBatchNorm)$/,
  },
  {
    reason: "devices, and where and how a tensor lies in memory",
    names:
      /^(torch\.(device|get_default_device|cuda\b.*|backends\b.*|\w*contiguous_format|autograd\.graph\.\w+|are_deterministic\w+)|\.(cpu|cuda|is_contiguous|stride|storage|data_ptr|element_size)|nn\.attention\.(sdpa_kernel|SDPBackend))$/,
  },
  {
    reason: "tracing, compiling and exporting",
    names:
      /^(torch\.(jit|fx|compile|compiler|onnx|ops|library|classes|_dynamo|_C|_assert\w*|_higher_order_ops|_softmax_backward_data|vmap|__version__)\b.*|\.compile|nn\.attention\.flex_attention\b.*|nn\.modules\.transformer\b.*)$/,
  },
  {
    reason: "mixed precision by scope: a dtype is that of the module (`net.to`) or of the tensor",
    names: /^torch\.(autocast|amp\b.*|is_autocast\w*|get_autocast\w*)$/,
  },
  {
    reason: "8-bit floats, unsigned integers of more than 8 bits, and quantized tensors",
    names: /^(torch\.(float8\w+|uint(16|32|64))|\.dequantize)$/,
  },
  {
    reason: "downloads, and files that are unpickled",
    names: /^torch\.(hub|serialization)\b.*/,
  },
  {
    reason: "functions of transformers' and timm's own, under PyTorch's name for a module",
    names:
      /^nn\.init\.(lecun_normal_|default_flax_embed_init_|guard_torch_init_functions|meta_device_safe_creation_ops|no_init_weights|no_tie_weights)$/,
  },
];
