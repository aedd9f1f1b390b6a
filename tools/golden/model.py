"""model.py - the model written down once more, from its specification alone, as plainly as PyTorch allows.

N tokens of all segments, one after another; D hidden size, H heads of d = D/H, Hk key/value heads, E experts, K chosen
per token, P points per token and S from one token's first point to the next one's. A parameter is p[checkpoint name].

What differs between a plain run and a run with bf16 rounding (rounded.py) is in a small class of operations; `Plain` is
the one that rounds nowhere and leaves all gradients to autograd."""
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

EPS = 1e-6
THETA = 10000.0
DELTA = 2.0


@dataclass
class Config:
    hidden_size: int = 16
    n_decoder_layers: int = 2
    n_head: int = 2
    n_kv_head: int = 2
    num_experts: int = 4
    num_expert_layers: int = 1
    k: int = 2
    d_ff: int = 24
    d_expert: int = 12
    patch_len: int = 1
    patch_stride: int = 1
    horizons: list = field(default_factory=lambda: [1, 8, 32, 64])
    use_dense: bool = False
    aux_loss_weight: float = 0.02

    @property
    def head_dim(self):
        return self.hidden_size // self.n_head

    @property
    def routers(self):
        return 0 if self.use_dense else self.n_decoder_layers * self.num_expert_layers

    def tokens(self, points):
        return 1 + (points - 1 - self.patch_len) // self.patch_stride


def ffn_shapes(prefix, width, d):
    return [(prefix + ".gate_proj.weight", (width, d)), (prefix + ".up_proj.weight", (width, d)),
            (prefix + ".down_proj.weight", (d, width))]


def mixture_names(c, layer, b):
    """(prefix of the mixture, name of its norm). The first one of a layer has the published names."""
    if b == 0:
        return "model.layers.%d.ffn_layer" % layer, "model.layers.%d.post_attention_layernorm.weight" % layer
    prefix = "model.layers.%d.extra_ffn.%d" % (layer, b)
    return prefix, prefix + ".layernorm.weight"


def mixture_shapes(c, layer, b):
    prefix, norm = mixture_names(c, layer, b)
    shapes = [(norm, (c.hidden_size,))]
    if c.use_dense:
        return shapes + ffn_shapes(prefix, c.d_ff, c.hidden_size)
    shapes.append((prefix + ".gate.weight", (c.num_experts, c.hidden_size)))
    for e in range(c.num_experts):
        shapes += ffn_shapes("%s.experts.%d" % (prefix, e), c.d_expert, c.hidden_size)
    shapes += ffn_shapes(prefix + ".shared_expert", c.d_ff, c.hidden_size)
    return shapes + [(prefix + ".shared_expert_gate.weight", (1, c.hidden_size))]


def layer_shapes(c, layer):
    prefix, d = "model.layers.%d" % layer, c.hidden_size
    shapes = [(prefix + ".input_layernorm.weight", (d,))]
    for name, out in (("q", d), ("k", c.n_kv_head * c.head_dim), ("v", c.n_kv_head * c.head_dim)):
        shapes += [("%s.self_attn.%s_proj.weight" % (prefix, name), (out, d)),
                   ("%s.self_attn.%s_proj.bias" % (prefix, name), (out,))]
    shapes.append((prefix + ".self_attn.o_proj.weight", (d, d)))
    for b in range(c.num_expert_layers):
        shapes += mixture_shapes(c, layer, b)
    return shapes


def parameter_shapes(c):
    """[(checkpoint name, shape)] of the whole model."""
    d = c.hidden_size
    shapes = [("model.embed_layer.emb_layer.weight", (d, c.patch_len)), ("model.embed_layer.gate_layer.weight", (d, c.patch_len))]
    for layer in range(c.n_decoder_layers):
        shapes += layer_shapes(c, layer)
    shapes.append(("model.norm.weight", (d,)))
    return shapes + [("lm_heads.%d.out_layer.weight" % j, (h, d)) for j, h in enumerate(c.horizons)]


def rope_tables(T, d, like):
    """cos and sin (T, d/2). The angle is an fp32 product of the position and an fp32 frequency whatever the run computes
    in: at position 4000 that rounding is larger than everything else, and published weights were trained with it."""
    frequency = (THETA ** (-2 * torch.arange(d // 2, dtype=torch.float64) / d)).float()
    angle = torch.arange(T, dtype=torch.float32)[:, None] * frequency
    return torch.cos(angle.to(like.dtype)), torch.sin(angle.to(like.dtype))


def rotate(x, cos, sin):
    """x (T, heads, d); component i turns with component i + d/2."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Plain:
    """Rounds nowhere; the run's type is that of the parameters."""

    def kept(self, h):                       # what a norm reads of the residual stream
        return h

    def stored(self, x):                     # an activation that a bf16 run stores as bf16
        return x

    def linear(self, x, w):
        return x @ w.T

    def scaled_down(self, hidden, w, scale): # scale (R,1) * (hidden W^T)
        return scale * (hidden @ w.T)

    def attend(self, q, k, v):               # q, k rotated; all (T, heads, d); causal within these T
        mask = torch.ones(q.shape[0], q.shape[0], dtype=torch.bool).triu(1)
        scores = torch.einsum("ihd,jhd->hij", q, k) / q.shape[-1] ** 0.5
        return torch.einsum("hij,jhd->ihd", scores.masked_fill(mask, float("-inf")).softmax(-1), v)


def norm(ops, h, w):
    x = ops.kept(h)
    return ops.stored(w * (x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPS)))


def embed(c, p, tokens):
    gate = tokens @ p["model.embed_layer.gate_layer.weight"].T
    return F.silu(gate) * (tokens @ p["model.embed_layer.emb_layer.weight"].T)


def attention(c, ops, qkv, counts):
    """(N, H*d) from q|k|v before RoPE; positions start at 0 in each segment."""
    d, out = c.head_dim, []
    for x in qkv.split(counts):
        q, k, v = (y.reshape(len(x), -1, d) for y in x.split([c.n_head * d, c.n_kv_head * d, c.n_kv_head * d], dim=1))
        cos, sin = rope_tables(len(x), d, x)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        group = c.n_head // c.n_kv_head      # query heads g*group .. share the key/value head g
        out.append(ops.attend(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)).reshape(len(x), -1))
    return ops.stored(torch.cat(out))


def attention_block(c, p, ops, h, layer, counts, acts):
    prefix = "model.layers.%d" % layer
    x = norm(ops, h, p[prefix + ".input_layernorm.weight"])
    parts = [ops.linear(x, p["%s.self_attn.%s_proj.weight" % (prefix, n)]) + p["%s.self_attn.%s_proj.bias" % (prefix, n)]
             for n in "qkv"]
    qkv = ops.stored(torch.cat(parts, dim=1))
    o = attention(c, ops, qkv, counts)
    h = h + ops.linear(o, p[prefix + ".self_attn.o_proj.weight"])
    acts.update({"%d.attn_norm" % layer: x, "%d.qkv" % layer: qkv, "%d.attention" % layer: o, "%d.h" % layer: h})
    return h


def ffn(p, ops, prefix, x, scale):
    gate = ops.stored(ops.linear(x, p[prefix + ".gate_proj.weight"]))
    up = ops.stored(ops.linear(x, p[prefix + ".up_proj.weight"]))
    return ops.scaled_down(ops.stored(F.silu(gate) * up), p[prefix + ".down_proj.weight"], scale)


def choose(prob, k):
    """The k most probable experts, best first; a stable sort gives ties to the lower index."""
    return torch.sort(prob, dim=-1, descending=True, stable=True)[1][:, :k]


def experts(c, p, ops, prefix, x, acts, key, forced):
    """Routed and shared experts of all tokens, (N,D); the probabilities are not renormalised over the chosen ones."""
    prob = (x @ p[prefix + ".gate.weight"].T).softmax(-1)
    expert = choose(prob, c.k) if forced is None else forced[key + "expert"].long()
    share = torch.sigmoid(x @ p[prefix + ".shared_expert_gate.weight"].T)
    y = ffn(p, ops, prefix + ".shared_expert", ops.stored(x), share)
    for e in range(c.num_experts):
        token = (expert == e).any(1).nonzero()[:, 0]
        rows = ffn(p, ops, "%s.experts.%d" % (prefix, e), ops.stored(x[token]), prob[token, e:e + 1])
        y = y.index_add(0, token, rows)
    acts.update({key + "prob": prob, key + "expert": expert, key + "share": share[:, 0]})
    return y


def mixture_block(c, p, ops, h, layer, b, acts, forced):
    key = "%d.%d." % (layer, b)
    prefix, norm_name = mixture_names(c, layer, b)
    x = norm(ops, h, p[norm_name])
    if c.use_dense:
        y = ffn(p, ops, prefix, x, torch.ones(len(x), 1, dtype=x.dtype))
    else:
        y = experts(c, p, ops, prefix, x, acts, key, forced)
    h = h + y
    acts.update({key + "norm": x, key + "h": h})
    return h


def cut_tokens(c, segments):
    return torch.cat([x.unfold(0, c.patch_len, c.patch_stride)[:c.tokens(len(x))] for x in segments])


def forward(c, p, segments, ops=None, forced=None):
    """Every activation by name. segments: a list of series; forced: activations whose expert choices are taken instead."""
    ops, acts = ops or Plain(), {}
    counts = [c.tokens(len(x)) for x in segments]
    h = acts["embed"] = embed(c, p, cut_tokens(c, segments))
    for layer in range(c.n_decoder_layers):
        h = attention_block(c, p, ops, h, layer, counts, acts)
        for b in range(c.num_expert_layers):
            h = mixture_block(c, p, ops, h, layer, b, acts, forced)
    x = acts["norm"] = norm(ops, h, p["model.norm.weight"])
    acts["pred"] = torch.cat([ops.linear(x, p["lm_heads.%d.out_layer.weight" % j]) for j in range(len(c.horizons))], dim=1)
    return acts


def targets(c, segments, horizon):
    """(N,horizon) values and whether they exist: the points that follow a token's last one inside its segment."""
    values, valid = [], []
    for x in segments:
        first = torch.arange(c.tokens(len(x))) * c.patch_stride + c.patch_len
        at = first[:, None] + torch.arange(horizon)
        valid.append(at < len(x))
        values.append(x[at.clamp(max=len(x) - 1)])
    return torch.cat(values), torch.cat(valid)


def errors(c, pred, segments):
    """One vector of valid errors per horizon."""
    out = []
    for block, h in zip(pred.split(c.horizons, dim=1), c.horizons):
        y, valid = targets(c, segments, h)
        out.append((block - y)[valid])
    return out


def huber(e):
    a = e.abs()
    return torch.where(a <= DELTA, e * e / 2, DELTA * (a - DELTA / 2))


def chosen_share(c, acts):
    """f (M,E): which part of the (token, slot) pairs of a router chose each expert; constants to autograd."""
    f = [torch.bincount(x.flatten(), minlength=c.num_experts).double() / x.numel()
         for name, x in acts.items() if name.endswith(".expert")]
    return torch.stack(f) if f else torch.zeros(0, c.num_experts, dtype=torch.float64)


def aux_loss(c, acts, share):
    """Mean over routers of E * sum_e f_e P_e, 1 at balance. acts holds the routers layer by layer, then b."""
    prob = [x.double().mean(0) for name, x in acts.items() if name.endswith(".prob")]
    if not prob:
        return torch.zeros((), dtype=torch.float64)
    return c.num_experts * (share * torch.stack(prob)).sum(1).mean()


def losses(c, acts, segments, share=None):
    """Named losses. share: the f of the aux term, this batch's own by default. Sums are made in double."""
    e = errors(c, acts["pred"], segments)
    per_horizon = torch.stack([huber(x).double().sum() / max(1, len(x)) for x in e])
    every = torch.cat(e).double()
    aux = aux_loss(c, acts, chosen_share(c, acts) if share is None else share)
    pred = per_horizon.mean()
    return {"huber": per_horizon, "pred": pred, "aux": aux, "total": pred + c.aux_loss_weight * aux,
            "mae": every.abs().mean(), "mse": (every * every).mean(), "valid": torch.tensor([len(x) for x in e])}
