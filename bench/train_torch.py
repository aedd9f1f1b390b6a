#!/usr/bin/env python3
"""train_torch.py - the same training by a PyTorch program, to compare speed with: fused AdamW, flash attention, sorted experts.

    train_torch.py run CONFIG DATA BATCH POINTS STEPS SETTING...    a line a step, as foundationts train prints it
    train_torch.py check PROGRAM                                    both from one checkpoint, on one batch: equal losses?

CONFIG: a folder with config.json, and model.safetensors (F32) or none: random weights. DATA: a folder that `data synth` wrote, or several below it.
SETTING: threads=N, bf16 (autocast, else fp32), compile (the parts that are not a plain product), longest (windows are padded to the longest
one of their batch, else to POINTS), device=cuda (else the CPU). Needs torch and numpy."""
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F

from forecast_torch import HORIZONS, Model

LEARNING_RATE, AUX_WEIGHT, DELTA = 1e-3, 0.02, 2.0


class Permute(torch.autograd.Function):
    """x[order]; the gradient is gathered too, where the one of an index would be scattered."""

    @staticmethod
    def forward(ctx, x, order, back):
        ctx.back = back
        return x[order]

    @staticmethod
    def backward(ctx, g):
        return g[ctx.back], None, None


def norm(x, w):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def embed(x, gate, up):
    return F.silu(F.linear(x, gate)) * F.linear(x, up)


def attend(h, scale, qkv, bias, out, cos, sin):
    (B, T, D), d = h.shape, 2 * cos.shape[1]
    q, k, v = F.linear(norm(h, scale).to(cos.dtype), qkv, bias).view(B, T, 3, D // d, d).permute(2, 0, 3, 1, 4)
    o = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True)
    return h + F.linear(o.transpose(1, 2).reshape(B, T, D), out)


def ffn(x, gate, up, down):
    return F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down)


def combine(h, y, weight, shared, share):
    y = (y.view(*weight.shape, -1) * weight[..., None]).sum(1) + torch.sigmoid(share) * shared
    return h + y.view_as(h)


def huber(pred, target, left):
    """Sum of the element losses of each horizon over the number of its targets; left: points that follow a token, negative for none."""
    loss, step = 0, torch.arange(HORIZONS[-1], device=pred.device)
    for h, p in zip(HORIZONS, pred.split(HORIZONS, -1)):
        valid = step[:h] < left[..., None]
        loss = loss + (F.huber_loss(p.float(), target[..., :h], reduction="none", delta=DELTA) * valid).sum() / valid.sum().clamp(min=1)
    return loss / len(HORIZONS)


def initial(c):
    """Random weights of the shapes in the specification: name -> tensor."""
    D, Fe, f, E, P = c["hidden_size"], c.get("moe_intermediate_size", c["intermediate_size"] // c["num_experts_per_tok"]), c["intermediate_size"], c["num_experts"], c.get("patch_len", 1)
    shape = {"model.norm.weight": (D,), "model.embed_layer.emb_layer.weight": (D, P), "model.embed_layer.gate_layer.weight": (D, P)}
    for i, h in enumerate(HORIZONS):
        shape["lm_heads.%d.out_layer.weight" % i] = (h, D)
    for layer in range(c["num_hidden_layers"]):
        at = "model.layers.%d." % layer
        shape.update({at + "input_layernorm.weight": (D,), at + "post_attention_layernorm.weight": (D,), at + "self_attn.o_proj.weight": (D, D)})
        shape.update({at + "self_attn.%s_proj.weight" % x: (D, D) for x in "qkv"})
        shape.update({at + "self_attn.%s_proj.bias" % x: (D,) for x in "qkv"})
        at += "ffn_layer."
        shape.update({at + "gate.weight": (E, D), at + "shared_expert_gate.weight": (1, D)})
        for part, width in [("shared_expert.", f)] + [("experts.%d." % e, Fe) for e in range(E)]:
            shape.update({at + part + "gate_proj.weight": (width, D), at + part + "up_proj.weight": (width, D), at + part + "down_proj.weight": (D, width)})
    return {k: torch.ones(s) if "norm" in k else torch.zeros(s) if k.endswith("bias") else torch.randn(s) * 0.02 for k, s in shape.items()}


class Trained(Model):
    def __init__(self, folder, settings=()):
        config = json.load(open(folder + "/config.json"))
        super().__init__(folder, None if os.path.exists(folder + "/model.safetensors") else initial(config))
        self.K, self.E, self.L = config["num_experts_per_tok"], config["num_experts"], config["num_hidden_layers"]
        self.P, self.S = config.get("patch_len", 1), config.get("patch_stride", 1)
        self.p = {k: x.to(self.cos.device) for k, x in self.p.items()}
        self.type = torch.bfloat16 if "bf16" in settings else torch.float32
        self.cos, self.sin = self.cos.to(self.type), self.sin.to(self.type)
        self.p["heads"] = torch.cat([self.p.pop("lm_heads.%d.out_layer.weight" % i) for i in range(len(HORIZONS))])
        for x in self.p.values():
            x.requires_grad_()
        groups = [{"params": [x for x in self.p.values() if (x.dim() == 2) == matrix], "weight_decay": 0.1 * matrix} for matrix in (True, False)]
        self.optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.95), eps=1e-8, fused=True)
        self.share = [torch.full((self.E,), 1 / self.E)] * self.L          # of the previous step: the constant of the balance gradient
        wrap = (lambda f: torch.compile(f, dynamic=f in (ffn, combine))) if "compile" in settings else lambda f: f
        self.embed, self.attend, self.norm1, self.ffn1, self.combine, self.huber = map(wrap, (embed, attend, norm, ffn, combine, huber))

    def weights(self, prefix):
        return [self.p["%s.%s_proj.weight" % (prefix, x)] for x in ("gate", "up", "down")]

    def experts(self, x, expert, at):
        """Rows sorted by expert, one product for each, and back in the order of the tokens."""
        expert = expert.flatten()
        order = expert.argsort(stable=True)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        rows = Permute.apply(x[:, None].expand(-1, self.K, -1).reshape(-1, x.shape[1]), order, back)
        parts = rows.split(expert.bincount(minlength=self.E).tolist())
        return Permute.apply(torch.cat([self.ffn1(r, *self.weights(at + ".experts.%d" % e)) for e, r in enumerate(parts)]), back, order)

    def mixture(self, h, layer, real):
        at = "model.layers.%d.ffn_layer" % layer
        x = self.norm1(h, self.p["model.layers.%d.post_attention_layernorm.weight" % layer]).flatten(0, 1).to(self.type)
        with torch.autocast(x.device.type, enabled=False):
            prob = F.linear(x.float(), self.p[at + ".gate.weight"]).softmax(-1)
            share = F.linear(x.float(), self.p[at + ".shared_expert_gate.weight"])
        weight, expert = prob.topk(self.K, -1)
        count = expert[real].flatten().bincount(minlength=self.E) / (real.sum() * self.K)
        mean = prob[real].mean(0)
        aux = self.E * ((self.share[layer] * mean).sum() + ((count - self.share[layer]) * mean.detach()).sum())
        self.share[layer] = count
        return self.combine(h, self.experts(x, expert, at), weight, self.ffn1(x, *self.weights(at + ".shared_expert")), share), aux

    def loss(self, points, length):
        """points (B, W), length (B): of which so many are there."""
        p, T = self.p, 1 + (points.shape[1] - 1 - self.P) // self.S
        left = length[:, None] - (torch.arange(T, device=length.device) * self.S + self.P)       # points that follow token t; none: the token is padding
        real = (left > 0).flatten()
        h = self.embed(points.unfold(1, self.P, self.S)[:, :T], p["model.embed_layer.gate_layer.weight"], p["model.embed_layer.emb_layer.weight"]).float()
        aux = 0
        for i in range(self.L):
            at = "model.layers.%d." % i
            h = self.attend(h, p[at + "input_layernorm.weight"], p["qkv.%d.weight" % i], p["qkv.%d.bias" % i], p[at + "self_attn.o_proj.weight"], self.cos[:T], self.sin[:T])
            h, a = self.mixture(h, i, real)
            aux = aux + a / self.L
        pred = F.linear(self.norm1(h, p["model.norm.weight"]), p["heads"])
        target = F.pad(points, (0, HORIZONS[-1])).unfold(1, HORIZONS[-1], 1)[:, self.P::self.S][:, :T]
        return self.huber(pred, target, left) + AUX_WEIGHT * aux, int(real.sum())

    def step(self, points, length):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(points.device.type, dtype=torch.bfloat16, enabled=self.type is torch.bfloat16):
            loss, tokens = self.loss(points, length)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.p.values(), 1.0)
        self.optimizer.step()
        return float(loss.detach()), tokens


def windows(folder, points):
    """Scaled windows of up to points + 1 points, as foundationts makes them without gaps."""
    out = []
    for name in sorted(glob.glob(folder + "/**/meta.json", recursive=True)):
        meta = json.load(open(name))
        flat = np.concatenate([np.fromfile(os.path.join(os.path.dirname(name), f), meta["dtype"]) for f in meta["files"]])
        for s in meta["scales"]:
            x = flat[s["offset"]:s["offset"] + s["length"]].astype(np.float64)
            x = ((x - x.mean()) / (x.std() or 1)).astype(np.float32)
            out += [x[i * points:(i + 1) * points + 1] for i in range(1 + max(0, (len(x) - points - 1) // points))]
    return [w for w in out if len(w) > 1]


def batch(chosen, width):
    points = torch.zeros(len(chosen), width)
    for row, w in zip(points, chosen):
        row[:len(w)] = torch.from_numpy(w)
    return points, torch.tensor([len(w) for w in chosen])


def run(folder, data, size, points, steps, *settings):
    torch.set_num_threads(next((int(s[8:]) for s in settings if s.startswith("threads=")), os.cpu_count()))
    torch.manual_seed(1)
    device = next((s[7:] for s in settings if s.startswith("device=")), "cpu")
    with torch.device(device):
        model = Trained(folder, settings)
    all_windows, rng = windows(data, points), np.random.default_rng(1)
    print("parameters=%d" % sum(x.numel() for x in model.p.values()), flush=True)
    for step in range(steps):
        chosen = [all_windows[i] for i in rng.choice(len(all_windows), size, len(all_windows) < size)]
        began = time.time()
        x, length = batch(chosen, max(map(len, chosen)) if "longest" in settings else points + 1)
        loss, tokens = model.step(x.to(device), length.to(device))
        spent = time.time() - began
        print("step=%d loss=%.4f toks/s=%.0f points/s=%.0f step_ms=%.1f" % (step + 1, loss, tokens / spent, int(length.sum()) / spent, 1e3 * spent), flush=True)


def put_data(folder, lengths):
    """Random walks, in the layout of `data synth`."""
    rng = np.random.default_rng(1)
    os.mkdir(folder)
    np.concatenate([rng.standard_normal(n).cumsum().astype(np.float32) for n in lengths]).tofile(folder + "/data-1-of-1.bin")
    scales = [{"offset": sum(lengths[:i]), "length": n} for i, n in enumerate(lengths)]
    json.dump({"num_sequences": len(lengths), "dtype": "float32", "files": {"data-1-of-1.bin": sum(lengths)}, "scales": scales}, open(folder + "/meta.json", "w"))


def losses(program, dir, options, steps):
    """Of foundationts and of PyTorch, from one checkpoint; a step is all the data."""
    train = [program, "train", "--dataset-path", dir + "/data", "--hidden-size", "32", "--n-decoder-layers", "2", "--num-experts", "4", "--k", "2", "--n-head", "2",
             "--seq-max-len", "128", "--seq-stride", "128", "--batch-size", "64", "--val-split", "0", "--no-bf16", "--no-tensorboard", "--log-every", "1"] + options
    run, start = dir + "/run" + "".join(options), dir + "/first" + "".join(options)
    subprocess.run(train + ["--checkpoint-dir", start, "--steps-per-epoch", "1"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(train + ["--checkpoint-dir", run, "--init-from", start + "/latest", "--steps-per-epoch", str(steps), "--warmup-steps", "0", "--min-learning-rate", str(LEARNING_RATE)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    model, (points, length) = Trained(start + "/latest"), batch(windows(dir + "/data", 128), 129)
    return [x["loss"] for x in map(json.loads, open(run + "/log.jsonl")) if "loss" in x], [model.step(points, length)[0] for _ in range(steps)]


def check(program, steps=4):
    """Tiny models, windows of every length up to the longest. Several steps: gradients and the update must agree as well."""
    with tempfile.TemporaryDirectory() as dir:
        put_data(dir + "/data", [2, 3, 17, 66, 100, 129, 129])
        for options in [], ["--patch", "--patch-len", "8", "--patch-stride", "4"]:
            want, got = losses(program, dir, options, steps)
            print(" ".join(options) or "one token a point", "foundationts", want, "PyTorch", got)
            if len(want) != steps or max(abs(a - b) for a, b in zip(want, got)) > 1e-4 * max(want):
                sys.exit("train_torch: the losses differ")


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(sys.argv[2])
    else:
        run(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]), *sys.argv[7:])
