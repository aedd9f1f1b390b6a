#!/usr/bin/env python3
"""make_golden.py - writes tests/golden/<case>.safetensors: a small model, a batch without padding, and what PyTorch makes
of them: every activation, every loss, every gradient and ten optimizer steps. See README.md beside this file.

    make_golden.py [--out DIR] [--check] [case ...]"""
import argparse
import dataclasses
import json
import math
import os
import sys

sys.dont_write_bytecode = True               # this folder is source only

import numpy as np
import torch

import checks
import model
import rounded
import stfile
from model import Config

STEPS, WARMUP, PEAK, LOWEST = 10, 5, 1e-3, 0.0
BETAS, ADAM_EPS, DECAY, CLIP = (0.9, 0.95), 1e-8, 0.1, 1.0
NEAR_TIE = 1e-3                              # probabilities closer than this could be ordered otherwise by another rounding


@dataclasses.dataclass
class Case:
    config: Config
    npt: list                                # points of each segment
    seed: int                                # the first one tried; if a changed case cannot use it, the next ones are
    bf16: bool = False


CASES = {
    "pointwise": Case(Config(d_ff=20, d_expert=10), [20, 7, 68], 11976),
    "k1": Case(Config(num_experts=2, k=1, d_expert=24), [12, 68, 5], 20003),
    "patch": Case(Config(hidden_size=20, d_ff=24, d_expert=12, patch_len=4, patch_stride=4), [101, 21, 38], 30004),
    "patch_overlap": Case(Config(hidden_size=20, d_ff=28, d_expert=14, patch_len=6, patch_stride=3), [50, 8, 92, 13], 40070),
    "expert_layers2": Case(Config(num_expert_layers=2, d_ff=16, d_expert=8), [40, 12], 51537),
    "gqa": Case(Config(n_head=4, n_kv_head=2), [9, 66, 14], 60242),
    "unequal": Case(Config(hidden_size=20, n_decoder_layers=1, num_experts=3, d_ff=44, d_expert=22), [2, 3, 75, 2, 33], 70000),
    "one_token": Case(Config(hidden_size=24, n_head=3, n_kv_head=3, d_ff=20, d_expert=10), [2], 80000),
    "dense": Case(Config(use_dense=True, d_ff=48), [30, 4, 70], 90000),
    "bf16_pointwise": Case(Config(d_ff=20, d_expert=10), [20, 5, 66], 100023, bf16=True),
    "bf16_patch": Case(Config(hidden_size=20, d_ff=24, d_expert=12, patch_len=4, patch_stride=4), [101, 21, 38], 110001, bf16=True),
}

# Standard deviation of a matrix times sqrt(inputs): everything is O(1), so that no tensor can be wrong unnoticed.
GAINS = {"emb_layer": 0.6, "gate_layer": 0.8, "o_proj": 0.7, "down_proj": 0.8, "gate": 1.2, "out_layer": 1.0}


def random_parameter(rng, name, shape):
    z = rng.standard_normal(shape)
    leaf, kind = name.split(".")[-2:]
    if kind == "bias":
        return 0.3 * z
    if len(shape) == 1:
        return 1 + 0.3 * z
    return GAINS.get(leaf, 1.0) / math.sqrt(shape[1]) * z


def random_series(rng, n):
    """A slow wave and noise with memory: O(1), and now and then far enough from any forecast for the linear part of Huber."""
    noise = rng.standard_normal(n)
    for i in range(1, n):
        noise[i] += 0.6 * noise[i - 1]
    return np.sin(0.3 * np.arange(n) + rng.uniform(0, 6)) + 0.8 * noise


def random_case(case, seed):
    """(parameters, points), fp32: what the file holds is exactly what both the file's reader and we compute from."""
    rng = np.random.RandomState(seed)        # its stream never changes, unlike that of the newer generators
    params = {name: random_parameter(rng, name, shape).astype(np.float32) for name, shape in model.parameter_shapes(case.config)}
    points = np.concatenate([random_series(rng, n) for n in case.npt]).astype(np.float32)
    return params, points


def as_torch(case, params, points, dtype):
    p = {name: torch.tensor(x, dtype=dtype, requires_grad=True) for name, x in params.items()}
    return p, torch.tensor(points, dtype=dtype).split(case.npt)


@dataclasses.dataclass
class Pass:
    """One forward and backward."""
    acts: dict
    losses: dict
    grads: dict
    share: torch.Tensor

    def tensors(self):
        named = {"act." + k: v for k, v in self.acts.items()}
        named.update({"loss." + k: v for k, v in self.losses.items()})
        named.update({"grad." + k: v for k, v in self.grads.items()})
        return {k: v.detach() for k, v in named.items()}


def one_pass(c, p, segments, ops=None, forced=None, share=None):
    """share: the f in the aux gradient, the batch's own by default; the losses that are returned always use the own one."""
    acts = model.forward(c, p, segments, ops, forced)
    total = model.losses(c, acts, segments, share)["total"]
    grads = torch.autograd.grad(total, list(p.values()), allow_unused=True)
    grads = {name: torch.zeros_like(p[name]) if g is None else g for name, g in zip(p, grads)}    # an expert nobody chose
    return Pass(acts, model.losses(c, acts, segments), grads, model.chosen_share(c, acts))


def learning_rate(step):
    if step <= WARMUP:
        return PEAK * step / WARMUP
    return LOWEST + (PEAK - LOWEST) * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def optimizer(p):
    matrices = [x for x in p.values() if x.dim() == 2]
    vectors = [x for x in p.values() if x.dim() == 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=ADAM_EPS)


def ten_steps(c, p, segments):
    """({"loss", "pred", "aux", "norm"}: values before each update, smallest routing gap of all steps). Changes p."""
    adam, gap = optimizer(p), math.inf
    log = {"loss": [], "pred": [], "aux": [], "norm": []}
    share = torch.full((c.routers, c.num_experts), 1 / c.num_experts, dtype=torch.float64)
    for step in range(1, STEPS + 1):
        r = one_pass(c, p, segments, share=share)
        for name, x in p.items():
            x.grad = r.grads[name]
        norm = torch.nn.utils.clip_grad_norm_(p.values(), CLIP)
        for name, x in (("loss", r.losses["total"]), ("pred", r.losses["pred"]), ("aux", r.losses["aux"]), ("norm", norm)):
            log[name].append(float(x))
        for group in adam.param_groups:
            group["lr"] = learning_rate(step)
        adam.step()
        gap, share = min(gap, routing_gap(c, r.acts, 1)), r.share
    return {name: torch.tensor(x, dtype=torch.float64) for name, x in log.items()}, gap


def routing_gap(c, acts, ranks):
    """Smallest difference between the K-th and the next probability of any token, or of the first K with their successors."""
    gaps = [math.inf]
    for name, prob in acts.items():
        if name.endswith(".prob") and prob.shape[1] > c.k:
            p = prob.detach().sort(dim=1, descending=True)[0]
            gaps.append(float((p[:, :-1] - p[:, 1:])[:, c.k - ranks:c.k].min()))
    return min(gaps)


def far_share(c, acts, segments):
    """Part of the errors in the linear branch of Huber."""
    e = torch.cat(model.errors(c, acts["pred"], segments))
    return float((e.abs() > model.DELTA).double().mean())


@dataclasses.dataclass
class Golden:
    seed: int
    params: dict
    points: np.ndarray
    reference: Pass
    steps: dict


def try_seed(case, seed):
    """The golden values of this seed in double, or None if they would depend on rounding or leave a branch untried."""
    c = case.config
    params, points = random_case(case, seed)
    p, segments = as_torch(case, params, points, torch.float64)
    r = one_pass(c, p, segments)
    idle = case.npt != [2] and bool((r.share == 0).any())    # an expert nobody chose: one_token has some, the others none
    if idle or routing_gap(c, r.acts, c.k) < NEAR_TIE or not 0.01 < far_share(c, r.acts, segments) < 0.6:
        return None
    steps, gap = ({}, math.inf) if case.bf16 else ten_steps(c, p, segments)
    return None if gap < NEAR_TIE else Golden(seed, params, points, r, steps)


def first_good_seed(case):
    for seed in range(case.seed, case.seed + 10000):
        g = try_seed(case, seed)
        if g:
            return g
    raise SystemExit("no usable seed from %d on" % case.seed)


def distance(got, want):
    """max|got - want| / max|want|"""
    got, want = got.detach().double(), want.detach().double()
    diff, size = float((got - want).abs().max()), float(want.abs().max())
    return 0.0 if diff == 0 else diff / size if size > 0 else math.inf


def distances(got, want):
    """By name, of the tensors that hold real numbers."""
    return {name: distance(x, want[name]) for name, x in got.items() if x.is_floating_point()}


def single_precision(case, g):
    """How far an fp32 run of the same code is from the golden: what any fp32 program has to be granted."""
    p, segments = as_torch(case, g.params, g.points, torch.float32)
    r = one_pass(case.config, p, segments)
    for name, x in r.acts.items():
        if name.endswith(".expert") and not torch.equal(x, g.reference.acts[name]):
            raise SystemExit("fp32 chooses other experts")
    far = distances(r.tensors(), g.reference.tensors())
    if g.steps:
        steps, _ = ten_steps(case.config, p, segments)
        far.update({"steps." + k: distance(v, g.steps[k]) for k, v in steps.items()})
    return far


def bf16_distances(case, g):
    """How far the rounding copy is, on the same experts: a flipped expert is no rounding error."""
    p, segments = as_torch(case, g.params, g.points, torch.float32)
    r = one_pass(case.config, p, segments, rounded.Rounded(), forced=g.reference.acts)
    return distances(r.tensors(), g.reference.tensors())


def as_file(x):
    x = x.detach().numpy()
    return np.atleast_1d(x.astype(np.int32 if x.dtype.kind == "i" else np.float32))


def file_tensors(case, g, dist):
    out = {"param." + name: x for name, x in g.params.items()}
    out.update({"input.points": g.points, "input.npt": np.array(case.npt, np.int32)})
    out.update({name: as_file(x) for name, x in g.reference.tensors().items()})
    out.update({"steps." + name: as_file(x) for name, x in g.steps.items()})
    out.update({"dist." + name: np.array([x], np.float32) for name, x in dist.items()})
    if case.config.routers:
        out["aux.share"] = as_file(g.reference.share)
    return out


def worst(far, prefix):
    return max([x for name, x in far.items() if name.startswith(prefix)], default=0.0)


def report(name, path, case, g, fp32, dist):
    r, c = g.reference, case.config
    segments = torch.tensor(g.points, dtype=torch.float64).split(case.npt)
    norms = " norm %.2f..%.2f" % (g.steps["norm"].min(), g.steps["norm"].max()) if g.steps else ""
    print("%-15s %7d bytes  seed %d  loss %.4f aux %.4f far %.0f%% gap %.4f%s" % (
        name, os.path.getsize(path), g.seed, r.losses["total"], r.losses["aux"], 100 * far_share(c, r.acts, segments),
        routing_gap(c, r.acts, c.k), norms))
    print("    fp32 from double: act %.1e loss %.1e grad %.1e steps %.1e" % tuple(worst(fp32, x) for x in ("act", "loss", "grad", "steps")))
    for kind in ("act.", "loss.", "grad."):
        d = [x for n, x in dist.items() if n.startswith(kind)]
        if d:
            print("    bf16 from double: %s %.1e..%.1e" % (kind, min(d), max(d)))


def write_case(name, out):
    case = CASES[name]
    g = first_good_seed(case)
    fp32 = single_precision(case, g)
    dist = bf16_distances(case, g) if case.bf16 else {}
    config = json.dumps(dataclasses.asdict(case.config), separators=(",", ":"))
    path = os.path.join(out, name + ".safetensors")
    stfile.write(path, file_tensors(case, g, dist), {"config": config, "format": "pt"})
    report(name, path, case, g, fp32, dist)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    a = argparse.ArgumentParser(description="write tests/golden/*.safetensors")
    a.add_argument("--out", default=os.path.join(here, "..", "..", "tests", "golden"), help="folder to write to")
    a.add_argument("--check", action="store_true", help="verify this program itself and write nothing")
    a.add_argument("case", nargs="*", help="which cases (default: all)")
    args = a.parse_args()
    torch.set_num_threads(1)                 # one order of summation, so the same bytes every time
    if args.check:
        return checks.run(sys.modules[__name__])
    for name in args.case or CASES:
        write_case(name, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
