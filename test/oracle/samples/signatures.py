"""PyTorch's parameter names for every operation that is sampled, in its order: what a sample's arguments are called.

A line is an operation of `op_db` (with its variant where that is called otherwise) and its parameters; `*x` takes all
that is left. Operations of `op_db` that have no line are not sampled.
"""

import torch

TABLE = """
add: input other alpha
sub: input other alpha
mul: input other
div: input other rounding_mode
true_divide: input other
floor_divide: input other
remainder: input other
fmod: input other
pow: input exponent
float_power: input exponent
maximum: input other
minimum: input other
fmax: input other
fmin: input other
max/binary: input other
min/binary: input other
logaddexp: input other
logaddexp2: input other
xlogy: input other
hypot: input other
atan2: input other
copysign: input other
heaviside: input values
eq: input other
ne: input other
lt: input other
le: input other
gt: input other
ge: input other
logical_and: input other
logical_or: input other
logical_xor: input other
logical_not: input
bitwise_and: input other
bitwise_or: input other
bitwise_xor: input other
bitwise_not: input
rsub: input other alpha
neg: input
abs: input
sign: input
sgn: input
signbit: input
positive: input
square: input
reciprocal: input
floor: input
ceil: input
trunc: input
frac: input
sqrt: input
rsqrt: input
exp: input
exp2: input
deg2rad: input
rad2deg: input
log: input
log2: input
log10: input
log1p: input
expm1: input
sin: input
cos: input
tan: input
asin: input
acos: input
atan: input
asinh: input
acosh: input
atanh: input
sinh: input
cosh: input
tanh: input
sigmoid: input
erf: input
erfc: input
isnan: input
isinf: input
isfinite: input
round: input decimals
logit: input eps
lerp: input end weight
addcmul: input tensor1 tensor2 value
addcdiv: input tensor1 tensor2 value
clamp: input min max
clamp_min: input min
clamp_max: input max
nan_to_num: input nan posinf neginf
where: input condition other
masked_fill: input mask value
isclose: input other rtol atol equal_nan
allclose: input other rtol atol equal_nan
equal: input other
nn.functional.relu: input
nn.functional.relu6: input
nn.functional.selu: input
nn.functional.silu: input
nn.functional.mish: input
nn.functional.logsigmoid: input
nn.functional.softsign: input
nn.functional.tanhshrink: input
nn.functional.hardsigmoid: input
nn.functional.hardswish: input
nn.functional.hardtanh: input min_val max_val
nn.functional.leaky_relu: input negative_slope
nn.functional.prelu: input weight
nn.functional.elu: input alpha
nn.functional.celu: input alpha
nn.functional.gelu: input approximate
nn.functional.softplus: input beta threshold
nn.functional.hardshrink: input lambd
nn.functional.softshrink: input lambd
nn.functional.threshold: input threshold value
nn.functional.glu: input dim
nn.functional.softmin: input dim dtype
nn.functional.normalize: input p dim eps
nn.functional.cosine_similarity: x1 x2 dim eps
nn.functional.pairwise_distance: x1 x2 p eps keepdim
nn.functional.scaled_dot_product_attention: query key value attn_mask dropout_p is_causal scale enable_gqa
nn.functional.bilinear: input1 input2 weight bias
nn.functional.linear: input weight bias
nn.functional.layer_norm: input normalized_shape weight bias eps
nn.functional.rms_norm: input normalized_shape weight eps
nn.functional.group_norm: input num_groups weight bias eps
nn.functional.batch_norm: input running_mean running_var weight bias training momentum eps
nn.functional.embedding: weight input padding_idx max_norm norm_type scale_grad_by_freq sparse
nn.functional.embedding_bag: weight input offsets mode per_sample_weights padding_idx include_last_offset max_norm norm_type scale_grad_by_freq
nn.functional.one_hot: input num_classes
nn.functional.pad/constant: input pad mode value
nn.functional.pad/reflect: input pad mode value
nn.functional.pad/replicate: input pad mode value
nn.functional.pad/replicate_negative: input pad mode value
nn.functional.pad/circular: input pad mode value
nn.functional.pixel_shuffle: input upscale_factor
nn.functional.pixel_unshuffle: input downscale_factor
nn.functional.channel_shuffle: input groups
nn.functional.dropout: input p training
nn.functional.cross_entropy: input target weight ignore_index reduction label_smoothing
nn.functional.nll_loss: input target weight ignore_index reduction
nn.functional.kl_div: input target reduction log_target
nn.functional.mse_loss: input target reduction weight
nn.functional.l1_loss: input target reduction
nn.functional.smooth_l1_loss: input target reduction beta
nn.functional.huber_loss: input target reduction delta weight
nn.functional.binary_cross_entropy: input target weight reduction
nn.functional.binary_cross_entropy_with_logits: input target weight reduction pos_weight
nn.functional.margin_ranking_loss: input1 input2 target margin reduction
nn.functional.hinge_embedding_loss: input target margin reduction
nn.functional.cosine_embedding_loss: input1 input2 target margin reduction
nn.functional.soft_margin_loss: input target reduction
nn.functional.multi_margin_loss: input target p margin weight reduction
nn.functional.multilabel_margin_loss: input target reduction
nn.functional.multilabel_soft_margin_loss: input target weight reduction
nn.functional.triplet_margin_loss: anchor positive negative margin p eps swap reduction
nn.functional.triplet_margin_with_distance_loss: anchor positive negative distance_function margin swap reduction
nn.functional.poisson_nll_loss: input target log_input full eps reduction
nn.functional.gaussian_nll_loss: input target var full eps reduction
sum: input dim keepdim dtype
prod: input dim keepdim dtype
mean: input dim keepdim dtype
nansum: input dim keepdim dtype
nanmean: input dim keepdim dtype
mean: input dim keepdim dtype
var: input dim correction keepdim unbiased
std: input dim correction keepdim unbiased
var/unbiased: input unbiased
std/unbiased: input unbiased
var_mean: input dim correction keepdim unbiased
std_mean: input dim correction keepdim unbiased
var_mean/unbiased: input unbiased
std_mean/unbiased: input unbiased
norm: input p dim keepdim dtype
linalg.vector_norm: input ord dim keepdim dtype
amax: input dim keepdim
amin: input dim keepdim
aminmax: input dim keepdim
any: input dim keepdim
all: input dim keepdim
max/reduction_no_dim: input
min/reduction_no_dim: input
max/reduction_with_dim: input dim keepdim
min/reduction_with_dim: input dim keepdim
argmax: input dim keepdim
argmin: input dim keepdim
count_nonzero: input dim
cumsum: input dim dtype
cumprod: input dim dtype
cummax: input dim
cummin: input dim
softmax: input dim dtype
log_softmax: input dim dtype
logsumexp: input dim keepdim
logcumsumexp: input dim
median: input dim keepdim
nanmedian: input dim keepdim
kthvalue: input k dim keepdim
quantile: input q dim keepdim interpolation
nanquantile: input q dim keepdim interpolation
diff: input n dim prepend append
cov: input correction fweights aweights
corrcoef: input
linalg.inv: A
linalg.det: A
linalg.solve: A B left
linalg.solve_triangular: A B upper left unitriangular
linalg.norm: A ord dim keepdim dtype
masked.sum: input dim keepdim dtype mask
masked.mean: input dim keepdim dtype mask
masked.var: input dim unbiased keepdim dtype mask
masked.std: input dim unbiased keepdim dtype mask
mode: input dim keepdim
histc: input bins min max
searchsorted: input values right side sorter
bucketize: input boundaries right
isin: elements test_elements invert
renorm: input p dim maxnorm
trapezoid: y x dx dim
cumulative_trapezoid: y x dx dim
erfinv: input
gather: input dim index
take_along_dim: input indices dim
scatter_add: input dim index src
scatter: input dim index src reduce
index_select: input dim index
index_add: input dim index source alpha
index_copy: input dim index source
index_fill: input dim index value
masked_select: input mask
take: input indices
nonzero: input as_tuple
argsort: input dim descending stable
sort: input dim descending stable
msort: input
topk: input k dim largest sorted
cdist: input x2 p compute_mode
nn.functional.pdist: input p
sinc: input
index_put: input indices values accumulate
as_strided: input size stride storage_offset
argwhere: input
unique: input sorted return_inverse return_counts dim
unique_consecutive: input return_inverse return_counts dim
unravel_index: indices shape
masked_scatter: input mask source
scatter_reduce/sum: input dim index src reduce include_self
scatter_reduce/prod: input dim index src reduce include_self
scatter_reduce/mean: input dim index src reduce include_self
scatter_reduce/amax: input dim index src reduce include_self
scatter_reduce/amin: input dim index src reduce include_self
put: input index source accumulate
tensordot: a b dims
matmul: input other
mm: input mat2
bmm: input mat2
mv: input vec
dot: input other
inner: input other
outer: input vec2
addmm: input mat1 mat2 beta alpha
addmv: input mat vec beta alpha
addbmm: input batch1 batch2 beta alpha
baddbmm: input batch1 batch2 beta alpha
trace: input
kron: input other
cross: input other dim
addr: input vec1 vec2 beta alpha
reshape: input shape
reshape_as: input other
view: input shape
view_as: input other
ravel: input
permute: input dims
transpose: input dim0 dim1
t: input
T: input
mT: input
movedim: input source destination
flatten: input start_dim end_dim
unflatten: input dim sizes
squeeze: input dim
squeeze/multiple: input dim
unsqueeze: input dim
expand: input shape
expand_as: input other
broadcast_to: input shape
broadcast_tensors: *tensors
repeat: input repeats
tile: input dims
repeat_interleave: input repeats dim output_size
flip: input dims
fliplr: input
flipud: input
roll: input shifts dims
rot90: input k dims
narrow: input dim start length
select: input dim index
tril: input diagonal
triu: input diagonal
diagonal: input offset dim1 dim2
diag: input diagonal
diag_embed: input offset dim1 dim2
split: input split_size_or_sections dim
split_with_sizes: input split_sizes dim
chunk: input chunks dim
unbind: input dim
unfold: input dimension size step
diagonal_scatter: input src offset dim1 dim2
select_scatter: input src dim index
slice_scatter: input src dim start end step
dsplit: input indices
hsplit: input indices
vsplit: input indices
tensor_split: input indices dim
__getitem__: input index
cat: tensors dim
stack: tensors dim
hstack: tensors
dstack: tensors
column_stack: tensors
block_diag: *tensors
cartesian_prod: *tensors
combinations: input r with_replacement
atleast_1d: input
atleast_2d: input
atleast_3d: input
vstack: tensors
meshgrid/variadic_tensors: *tensors
meshgrid/list_of_tensors: *tensors
einsum: operands equation
zeros: size dtype
ones: size dtype
full: size fill_value dtype
zeros_like: input dtype
ones_like: input dtype
full_like: input fill_value dtype
new_zeros: input size dtype
new_ones: input size dtype
new_full: input size fill_value dtype
eye: n m dtype
arange: start end step dtype
linspace: start end steps dtype
logspace: start end steps base dtype
scalar_tensor: value dtype
tril_indices: row col offset dtype
triu_indices: row col offset dtype
clone: input
contiguous: input
fill: input value
to: input other
float: input
double: input
int: input
bool: input
half: input
bfloat16: input
item: input
"""


def table():
    """Operation → its parameters."""
    lines = [line.split(":") for line in TABLE.strip().splitlines()]
    return {name: parameters.split() for name, parameters in lines}


SIGNATURES = table()


def full_name(info):
    """What `signatures` calls an OpInfo: its name, and its variant where it has one."""
    return f"{info.name}/{info.variant_test_name}" if info.variant_test_name else info.name


def signature_of(info):
    """The parameters of an OpInfo, or None where it is not sampled."""
    return SIGNATURES.get(full_name(info)) or SIGNATURES.get(info.name)


class Inexpressible(Exception):
    """A sample that has no place in a fixture: complex numbers, layouts, devices, outputs given."""


# What says nothing of the values: where they lie, in what memory, and how they are computed.
IGNORED = {"device", "layout", "requires_grad", "memory_format", "pin_memory", "sparse", "stable", "compute_mode", "assume_unique", "out_int32"}


def bind(names, sample):
    """A sample's arguments by name, in the order of the signature."""
    given = [sample.input, *sample.args]
    if names[0].startswith("*"):
        tensors = list(given[0]) + given[1:] if isinstance(given[0], (list, tuple)) else given
        bound = {names[0][1:]: tensors}
    else:
        if len(given) > len(names):
            # Sizes as single arguments: view(2, 3).
            given = [*given[: len(names) - 1], list(given[len(names) - 1 :])]
        bound = {name: value for name, value in zip(names, given) if name not in IGNORED}
    for name, value in sample.kwargs.items():
        if name in IGNORED:
            continue
        bound["dim" if name == "axis" else name] = value
    if "index" in bound and names == ["input", "index"]:
        bound["index"] = [fancy(i) for i in (bound["index"] if isinstance(bound["index"], tuple) else (bound["index"],))]
    return bound


def fancy(index):
    """One of the indices of `x[…]`: a list is the tensor that it stands for."""
    return torch.tensor(index) if isinstance(index, list) else index
