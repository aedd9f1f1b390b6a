"""checks.py - what makes the golden values believable: each check compares them with something computed in another way.
`g` is the module make_golden."""
import cmath
import math

import torch

import model
import rounded
from model import Config


def setting(g, name):
    case = g.CASES[name]
    params, points = g.random_case(case, case.seed)
    return (case.config,) + g.as_torch(case, params, points, torch.float64)


def loss_at(c, p, segments, share):
    with torch.no_grad():
        return float(model.losses(c, model.forward(c, p, segments), segments, share)["total"])


def slope(c, p, segments, share, name, direction):
    """Central difference of the loss along one direction of one tensor; f is held, as the gradient does."""
    step, values = 1e-5, []
    for sign in (1, -1):
        moved = dict(p, **{name: (p[name] + sign * step * direction).detach()})
        values.append(loss_at(c, moved, segments, share))
    return (values[0] - values[1]) / (2 * step)


def directions(x, torch_rng):
    """One in which every element moves, and the two single elements that a wrong layout would most likely confuse."""
    out = [torch.randn(x.shape, dtype=x.dtype, generator=torch_rng)]
    for i in (0, x.numel() - 1):
        one = torch.zeros(x.numel(), dtype=x.dtype)
        one[i] = 1
        out.append(one.reshape(x.shape))
    return out


def check_differences(g):
    """Gradients against finite differences, each tensor of a model with everything in it."""
    torch_rng = torch.Generator().manual_seed(1)
    off = 0.0
    for case in ("expert_layers2", "patch_overlap", "gqa", "dense"):
        c, p, segments = setting(g, case)
        r = g.one_pass(c, p, segments)
        for name, x in p.items():
            for d in directions(x, torch_rng):
                want = slope(c, p, segments, r.share, name, d)
                off = max(off, abs(float((r.grads[name] * d).sum()) - want) / max(1e-3, abs(want)))
    return off, 1e-5


def check_causality(g):
    """Changing one point changes no forecast made before it, and none of another segment."""
    off = 0.0
    for case in ("pointwise", "patch_overlap", "gqa"):
        c, p, segments = setting(g, case)
        before = model.forward(c, p, segments)["pred"]
        i = len(segments[0]) // 2
        moved = [x.clone() for x in segments]
        moved[0][i] += 3
        change = (model.forward(c, p, moved)["pred"] - before).abs().max(1)[0]
        last = torch.arange(len(before)) * c.patch_stride + c.patch_len - 1
        untouched = (last < i) | (torch.arange(len(before)) >= c.tokens(len(segments[0])))
        off = max(off, float(change[untouched].max()), 0.0 if float(change[~untouched].max()) > 1e-3 else 1.0)
    return off, 1e-12


def check_alone(g):
    """A segment in a batch gives what it gives alone."""
    c, p, segments = setting(g, "unequal")
    together = model.forward(c, p, segments)["pred"]
    alone = torch.cat([model.forward(c, p, [x])["pred"] for x in segments])
    return float((together - alone).abs().max()), 1e-12


def check_rope(g):
    """Against complex numbers: component i and component i + d/2 are one number, turned by pos * 10000^(-2i/d)."""
    d, T = 10, 50
    x = torch.randn(T, 1, d, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y = model.rotate(x, *model.rope_tables(T, d, x))
    off = 0.0
    for pos in range(T):
        for i in range(d // 2):
            z = complex(x[pos, 0, i], x[pos, 0, i + d // 2]) * cmath.exp(1j * pos * 10000 ** (-2 * i / d))
            off = max(off, abs(z - complex(y[pos, 0, i], y[pos, 0, i + d // 2])))
    return off, 1e-5                         # the model's angle is rounded to fp32


def naive_loss(c, pred, segments):
    """Losses with plain loops over tokens, horizons and steps."""
    sums, counts = [0.0] * len(c.horizons), [0] * len(c.horizons)
    row = 0
    for x in segments:
        for t in range(c.tokens(len(x))):
            column = 0
            for j, h in enumerate(c.horizons):
                for i in range(h):
                    at = t * c.patch_stride + c.patch_len + i
                    if at < len(x):
                        e = abs(float(pred[row, column + i] - x[at]))
                        sums[j] += e * e / 2 if e <= 2 else 2 * (e - 1)
                        counts[j] += 1
                column += h
            row += 1
    return sum(s / max(1, n) for s, n in zip(sums, counts)) / len(c.horizons), counts


def check_loss(g):
    off = 0.0
    for case in ("unequal", "patch_overlap"):
        c, p, segments = setting(g, case)
        acts = model.forward(c, p, segments)
        losses = model.losses(c, acts, segments)
        want, counts = naive_loss(c, acts["pred"].detach(), segments)
        off = max(off, abs(float(losses["pred"]) - want), 0.0 if losses["valid"].tolist() == counts else 1.0)
    return off, 1e-12


def check_aux(g):
    """1 when balanced, whatever the number of layers, experts and choices."""
    c = Config(num_experts=4, k=2)
    acts = {}
    for layer in range(3):
        acts["%d.0.prob" % layer] = torch.full((6, 4), 0.25, dtype=torch.float64)
        acts["%d.0.expert" % layer] = torch.tensor([[0, 1], [2, 3]] * 3)
    return abs(float(model.aux_loss(c, acts, model.chosen_share(c, acts))) - 1), 1e-15


def check_rounding(g):
    """The hand-written gradients of the bf16 run, with rounding switched off, are autograd's."""
    off = 0.0
    for case in ("pointwise", "gqa", "dense"):
        c, p, segments = setting(g, case)
        plain = g.one_pass(c, p, segments).tensors()
        by_hand = g.one_pass(c, p, segments, rounded.Rounded(rounded.exact)).tensors()
        off = max([off] + list(g.distances(by_hand, plain).values()))
    return off, 1e-10


def clip(grads, largest):
    """(gradients scaled to global norm `largest` at most, norm before)"""
    norm = math.sqrt(sum(float((x * x).sum()) for x in grads.values()))
    factor = min(1.0, largest / (norm + 1e-6))
    return {name: x * factor for name, x in grads.items()}, norm


def adamw(g, x, grad, m, v, step, lr):
    b1, b2 = g.BETAS
    m.mul_(b1).add_(grad * (1 - b1))
    v.mul_(b2).add_(grad * grad * (1 - b2))
    if x.dim() == 2:                         # matrices only; norms and biases are exempt
        x.mul_(1 - lr * g.DECAY)
    x.sub_(lr * (m / (1 - b1 ** step)) / ((v / (1 - b2 ** step)).sqrt() + g.ADAM_EPS))


def check_steps(g):
    """Ten steps with the optimizer's equations written out."""
    c, p, segments = setting(g, "expert_layers2")
    want, _ = g.ten_steps(c, p, segments)
    c, p, segments = setting(g, "expert_layers2")
    m, v = ({name: torch.zeros_like(x) for name, x in p.items()} for _ in range(2))
    share, losses, norms = torch.full((c.routers, c.num_experts), 1 / c.num_experts, dtype=torch.float64), [], []
    for step in range(1, g.STEPS + 1):
        r = g.one_pass(c, p, segments, share=share)
        grads, norm = clip(r.grads, g.CLIP)
        lr = 1e-3 * step / 5 if step <= 5 else 1e-3 * 0.5 * (1 + math.cos(math.pi * (step - 5) / 5))
        with torch.no_grad():
            for name, x in p.items():
                adamw(g, x, grads[name], m[name], v[name], step, lr)
        share = r.share
        losses.append(float(r.losses["total"]))
        norms.append(norm)
    return max(g.distance(torch.tensor(losses, dtype=torch.float64), want["loss"]),
               g.distance(torch.tensor(norms, dtype=torch.float64), want["norm"])), 1e-10


def run(g):
    """0 if every check holds."""
    bad = 0
    for check in (check_differences, check_causality, check_alone, check_rope, check_loss, check_aux, check_rounding, check_steps):
        off, limit = check(g)
        bad |= not off <= limit
        print("%-4s %-18s off by %.1e, allowed %.0e" % ("ok" if off <= limit else "FAIL", check.__name__[6:], off, limit))
    return bad
