#!/usr/bin/env python3
"""forecast_torch.py - the same forecasts by a PyTorch program, to compare speed with: batched, fp32, with a cache of keys and values.

    forecast_torch.py first MODEL FILE HORIZON             one series from a fresh process: seconds to import, open, forecast
    forecast_torch.py windows MODEL FILE HORIZON N BATCH   N evenly spaced windows of the ETT protocol: seconds, MSE, MAE

MODEL: a folder with config.json and model.safetensors (F32). Needs torch and numpy."""
import json
import sys
import time

BEGAN = time.time()
import numpy as np
import torch
import torch.nn.functional as F

HORIZONS = [1, 8, 32, 64]


def read(path):
    with open(path, "rb") as f:
        n = int.from_bytes(f.read(8), "little")
        header, base = json.loads(f.read(n)), 8 + n
    header.pop("__metadata__", None)
    data = np.memmap(path, np.uint8, "r", base)
    return {k: torch.from_numpy(data[v["data_offsets"][0]:v["data_offsets"][1]].view("<f4").reshape(v["shape"]).copy()) for k, v in header.items()}


class Model:
    def __init__(self, folder, weights=None):
        self.c = c = json.load(open(folder + "/config.json"))
        self.p = weights or read(folder + "/model.safetensors")
        self.d = c["hidden_size"] // c["num_attention_heads"]
        frequency = (10000.0 ** (-2 * torch.arange(self.d // 2, dtype=torch.float64) / self.d)).float()
        angle = torch.arange(c["max_position_embeddings"], dtype=torch.float32)[:, None] * frequency
        self.cos, self.sin = torch.cos(angle), torch.sin(angle)
        for layer in range(c["num_hidden_layers"]):        # one product for q, k and v
            for kind in ("weight", "bias"):
                name = "model.layers.%d.self_attn.%%s_proj.%s" % (layer, kind)
                self.p["qkv.%d.%s" % (layer, kind)] = torch.cat([self.p.pop(name % x) for x in "qkv"])

    def norm(self, x, w):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w

    def rotate(self, x, at):
        a, b = x.chunk(2, dim=-1)
        cos, sin = self.cos[at:at + x.shape[2]], self.sin[at:at + x.shape[2]]
        return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)

    def attention(self, h, layer, cache):
        B, T, D = h.shape
        qkv = F.linear(h, self.p["qkv.%d.weight" % layer], self.p["qkv.%d.bias" % layer]).view(B, T, 3, -1, self.d).permute(2, 0, 3, 1, 4)
        past = cache[layer][0].shape[2] if cache[layer] else 0
        q, k, v = self.rotate(qkv[0], past), self.rotate(qkv[1], past), qkv[2]
        if past:
            k, v = torch.cat((cache[layer][0], k), 2), torch.cat((cache[layer][1], v), 2)
        cache[layer] = (k, v)
        scores = q @ k.transpose(2, 3) / self.d ** 0.5
        scores += torch.full((T, T + past), float("-inf")).triu(past + 1)
        o = (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, D)
        return F.linear(o, self.p["model.layers.%d.self_attn.o_proj.weight" % layer])

    def ffn(self, x, prefix):
        return F.linear(F.silu(F.linear(x, self.p[prefix + ".gate_proj.weight"])) * F.linear(x, self.p[prefix + ".up_proj.weight"]), self.p[prefix + ".down_proj.weight"])

    def mixture(self, h, layer):
        x, prefix = h.reshape(-1, h.shape[-1]), "model.layers.%d.ffn_layer" % layer
        prob = F.linear(x, self.p[prefix + ".gate.weight"]).softmax(-1)
        weight, expert = prob.topk(self.c["num_experts_per_tok"], -1)
        y = torch.sigmoid(F.linear(x, self.p[prefix + ".shared_expert_gate.weight"])) * self.ffn(x, prefix + ".shared_expert")
        for e in range(self.c["num_experts"]):
            token, slot = (expert == e).nonzero(as_tuple=True)
            y.index_add_(0, token, weight[token, slot, None] * self.ffn(x[token], "%s.experts.%d" % (prefix, e)))
        return y.view_as(h)

    def forward(self, x, cache, head):
        x = x[..., None]
        h = F.silu(F.linear(x, self.p["model.embed_layer.gate_layer.weight"])) * F.linear(x, self.p["model.embed_layer.emb_layer.weight"])
        for layer in range(self.c["num_hidden_layers"]):
            prefix = "model.layers.%d" % layer
            h = h + self.attention(self.norm(h, self.p[prefix + ".input_layernorm.weight"]), layer, cache)
            h = h + self.mixture(self.norm(h, self.p[prefix + ".post_attention_layernorm.weight"]), layer)
        return F.linear(self.norm(h[:, -1], self.p["model.norm.weight"]), self.p["lm_heads.%d.out_layer.weight" % head])

    @torch.no_grad()
    def forecast(self, x, horizon):
        cache, made, new = [None] * self.c["num_hidden_layers"], [], x
        while horizon:
            head = max(j for j, h in enumerate(HORIZONS) if h <= horizon)
            new = self.forward(new, cache, head)
            made.append(new)
            horizon -= HORIZONS[head]
        return torch.cat(made, 1)


def columns(path):
    return np.genfromtxt(path, delimiter=",", skip_header=1, dtype=np.float64)[:, 1:]


def first(folder, path, horizon):
    imported = time.time()
    model = Model(folder)
    opened = time.time()
    x = columns(path)[:, 0]
    mean, std = x.mean(), x.std(ddof=1)
    y = model.forecast(torch.tensor(((x - mean) / std)[None].astype(np.float32)), horizon).numpy() * std + mean
    done = time.time()
    print("import %.2f, open %.2f, forecast %.2f, all %.2f s; %s" % (imported - BEGAN, opened - imported, done - opened, done - BEGAN, y[0, :4]))


def windows(folder, path, horizon, n, batch):
    model, x, context = Model(folder), columns(path), {96: 512, 192: 1024, 336: 2048, 720: 3072}[horizon]
    x = ((x - x[:8640].mean(0)) / x[:8640].std(0)).astype(np.float32)
    each = n // x.shape[1]
    starts = [i * (2880 - horizon - 1) // (each - 1) for i in range(each)]
    jobs = [(x[11520 + s - context:11520 + s, c], x[11520 + s:11520 + s + horizon, c]) for c in range(x.shape[1]) for s in starts]
    began, error = time.time(), []
    for i in range(0, len(jobs), batch):
        y = model.forecast(torch.tensor(np.array([a for a, _ in jobs[i:i + batch]])), horizon).numpy()
        error.append(y - np.array([b for _, b in jobs[i:i + batch]]))
    error = np.concatenate(error).astype(np.float64)
    print("%d windows, batch %d: %.1f s, %.0f tokens/s, mse %.5f mae %.5f" % (len(jobs), batch, time.time() - began, len(jobs) * (context + horizon - 32) / (time.time() - began),
                                                                        (error ** 2).mean(), np.abs(error).mean()))


if __name__ == "__main__":
    if sys.argv[1] == "first":
        first(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        windows(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
