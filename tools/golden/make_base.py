#!/usr/bin/env python3
"""make_base.py - a checkpoint of random weights in the published layout and size, and what this model, in double, makes of a series.

    make_base.py DIR                 writes DIR/config.json, DIR/model.safetensors (F32) and DIR/golden.safetensors; a minute or two
    make_base.py --read OTHER DIR    are the weights of OTHER, which the program exported from DIR, the same, and its outputs equal?

The tests use the folder that FTS_BASE names: tests/forecast/test_base.c."""
import json
import os
import struct
import sys

sys.dont_write_bytecode = True

import numpy as np
import torch

import make_forecast
import make_golden as golden
import model
import stfile

CONFIG = model.Config(hidden_size=384, n_decoder_layers=12, n_head=12, n_kv_head=12, num_experts=8, k=2, d_ff=1536, d_expert=768)
POINTS, HORIZONS, SEED = 512, (96, 336, 720), 7
PUBLISHED = {
    "architectures": ["TimeMoeForPrediction"], "model_type": "time_moe", "input_size": 1, "hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 12,
    "num_attention_heads": 12, "num_key_value_heads": 12, "num_experts": 8, "num_experts_per_tok": 2, "horizon_lengths": [1, 8, 32, 64],
    "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "rope_theta": 10000, "router_aux_loss_factor": 0.02, "apply_aux_loss": True, "use_dense": False,
    "hidden_act": "silu", "initializer_range": 0.02, "torch_dtype": "float32", "attention_dropout": 0.0, "use_cache": True, "tie_word_embeddings": False}


def last_outputs(p, x):
    x = torch.tensor(x, dtype=next(iter(p.values())).dtype)
    return model.forward(CONFIG, p, [torch.cat([x, x[-1:]])])["pred"][-1].detach().numpy()


def weights():
    rng = np.random.RandomState(SEED)
    return {name: golden.random_parameter(rng, name, shape).astype(np.float32) for name, shape in model.parameter_shapes(CONFIG)}


def make(out):
    params = weights()
    os.makedirs(out, exist_ok=True)
    stfile.write(os.path.join(out, "model.safetensors"), params, {"format": "pt"})
    with open(os.path.join(out, "config.json"), "w") as f:
        json.dump(PUBLISHED, f, indent=2)
    p = {name: torch.tensor(x, dtype=torch.float64) for name, x in params.items()}
    x = golden.random_series(np.random.RandomState(SEED + 1), POINTS).astype(np.float32)
    tensors = {"input": x, "last": last_outputs(p, x).astype(np.float32)}
    case = make_forecast.Case(CONFIG, [POINTS], 0, 0)
    for h in HORIZONS:
        made, gap = make_forecast.continued(case, p, x, h)
        tensors["forecast.%d" % h] = np.array(made, np.float32)
        print(h, "points, smallest gap between two probabilities that decide on experts:", gap)
    stfile.write(os.path.join(out, "golden.safetensors"), tensors, {"format": "pt"})


def read(path):
    with open(path, "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        data = f.read()
    header.pop("__metadata__", None)
    return {k: np.frombuffer(data[v["data_offsets"][0]:v["data_offsets"][1]], "<f4").reshape(v["shape"]) for k, v in header.items()}


def compare(other, base):
    theirs, ours = read(os.path.join(base, "model.safetensors")), read(os.path.join(other, "model.safetensors"))
    shapes = {name: tuple(shape) for name, shape in model.parameter_shapes(CONFIG)}
    assert {k: v.shape for k, v in ours.items()} == shapes, "other names or shapes"
    assert all(np.array_equal(ours[k], theirs[k]) for k in theirs), "other weights"
    x = read(os.path.join(base, "golden.safetensors"))["input"]
    outputs = [last_outputs({k: torch.tensor(v) for k, v in w.items()}, x) for w in (theirs, ours)]
    assert np.array_equal(*outputs)
    print(len(ours), "tensors, all equal; equal outputs")


if __name__ == "__main__":
    if sys.argv[1] == "--read":
        compare(sys.argv[2], sys.argv[3])
    else:
        make(sys.argv[1])
