"""rounded.py - the operations of a bf16 run: the same model, rounded where a mixed-precision run has to round.

A run with this class computes in fp32. Rounded to bf16 (nearest, ties to even) are: the norms' input and output, qkv,
the attention output, gate, up, hidden and the expert output rows, with the gradients of all of these but the norm's
input; and every operand of a matrix product, both in the forward product and in the two of its gradient. Never rounded:
the residual stream and its gradient, embedding, router, shared gate, norm weights, biases, softmax, predictions, losses.
A product is accumulated in double and rounded once to fp32, so it depends on no order of summation."""
import torch


def bf16(x):
    return x.to(torch.bfloat16).to(x.dtype)


def exact(x):
    """Stands in for bf16 when the gradient formulas below are checked against autograd."""
    return x


def product(equation, *x):
    return torch.einsum(equation, *(y.double() for y in x)).to(x[0].dtype)


class Kept(torch.autograd.Function):
    """The norm reads a rounded copy; the skip path and the gradient of the stream stay as they are."""

    @staticmethod
    def forward(ctx, h, rnd):
        return rnd(h)

    @staticmethod
    def backward(ctx, dy):
        return dy, None


class Stored(torch.autograd.Function):
    """A value kept in bf16; so is its gradient, summed over everything that reads the value."""

    @staticmethod
    def forward(ctx, x, rnd):
        ctx.rnd = rnd
        return rnd(x)

    @staticmethod
    def backward(ctx, dy):
        return ctx.rnd(dy), None


class Linear(torch.autograd.Function):
    """x W^T, not rounded: what becomes of the result is the caller's."""

    @staticmethod
    def forward(ctx, x, w, rnd):
        x, w = rnd(x), rnd(w)
        ctx.rnd = rnd
        ctx.save_for_backward(x, w)
        return product("ni,oi->no", x, w)

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dy = ctx.rnd(dy)
        return product("no,oi->ni", dy, w), product("no,ni->oi", dy, x), None


class ScaledDown(torch.autograd.Function):
    """scale * y, y = bf16(hidden W^T). The gradient of the scale is <W^T dout, hidden>: the same as <dout, y>, but no y has
    to be kept, so a program that saves memory rounds here and not there."""

    @staticmethod
    def forward(ctx, hidden, w, scale, rnd):
        hidden, w = rnd(hidden), rnd(w)
        ctx.rnd = rnd
        ctx.save_for_backward(hidden, w, scale)
        return scale * rnd(product("ni,oi->no", hidden, w))

    @staticmethod
    def backward(ctx, dout):
        hidden, w, scale = ctx.saved_tensors
        dy = ctx.rnd(scale * dout)
        dscale = (product("no,oi->ni", ctx.rnd(dout), w) * hidden).sum(1, keepdim=True)
        return product("no,oi->ni", dy, w), product("no,ni->oi", dy, hidden), dscale, None


class Attend(torch.autograd.Function):
    """Causal attention of one segment. Softmax in fp32, P and dS rounded as operands; the row sums of P * dP are <dO, O>
    with the O that is stored, and P itself is not kept."""

    @staticmethod
    def forward(ctx, q, k, v, rnd):
        q, k, v = rnd(q), rnd(k), rnd(v)
        mask = torch.ones(len(q), len(q), dtype=torch.bool).triu(1)
        scores = product("ihd,jhd->hij", q, k) / q.shape[-1] ** 0.5
        p = scores.masked_fill(mask, float("-inf")).softmax(-1)
        o = product("hij,jhd->ihd", rnd(p), v)
        ctx.rnd = rnd
        ctx.save_for_backward(q, k, v, p, rnd(o))
        return o

    @staticmethod
    def backward(ctx, do):
        q, k, v, p, o = ctx.saved_tensors
        rnd = ctx.rnd
        do = rnd(do)
        delta = (do * o).sum(-1).T[:, :, None]
        ds = rnd(p * (product("ihd,jhd->hij", do, v) - delta))
        root = q.shape[-1] ** 0.5
        return product("hij,jhd->ihd", ds, k) / root, product("hij,ihd->jhd", ds, q) / root, product("hij,ihd->jhd", rnd(p), do), None


class Rounded:
    """The counterpart of model.Plain."""

    def __init__(self, rnd=bf16):
        self.rnd = rnd

    def kept(self, h):
        return Kept.apply(h, self.rnd)

    def stored(self, x):
        return Stored.apply(x, self.rnd)

    def linear(self, x, w):
        return Linear.apply(x, w, self.rnd)

    def scaled_down(self, hidden, w, scale):
        return ScaledDown.apply(hidden, w, scale, self.rnd)

    def attend(self, q, k, v):
        return Attend.apply(q, k, v, self.rnd)
