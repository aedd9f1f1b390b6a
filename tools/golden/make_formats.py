"""make_formats.py - writes tests/golden/formats and tests/golden/ragged: the same three series in every format, by the programs
that people use.

    python tools/golden/make_formats.py        needs numpy, pandas, pyarrow, datasets and PyYAML

x[i][t] = (17 i t + 3 t + i) mod 120, 3 series of 40 points: whole numbers that every number type holds exactly. The ragged ones
are cut to 40, 1 and 17 points.
tests/data/test_formats.c knows the formula and nothing else."""
import gzip
import io
import json
import pathlib
import pickle

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests/golden"
OUT = GOLDEN / "formats"
X = np.array([[(17 * i * t + 3 * t + i) % 120 for t in range(40)] for i in range(3)])
LISTS = X.tolist()


def put(name, data):
    path = OUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def npy(a):
    f = io.BytesIO()
    np.lib.format.write_array(f, a)
    return f.getvalue()


def bin_folder(dtype, raw, cut):
    shards = {"data-1-of-2.bin": raw[:cut], "data-2-of-2.bin": raw[cut:]}
    size = len(raw) // X.size
    for name, data in shards.items():
        put(f"bin/{dtype}/{name}", data)
    scales = [{"offset": 40 * i, "length": 40} for i in range(3)]
    meta = {"num_sequences": 3, "dtype": dtype, "files": {k: len(v) // size for k, v in shards.items()}, "scales": scales}
    put(f"bin/{dtype}/meta.json", json.dumps(meta))


TYPES = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
for t in TYPES:
    a = X.astype(t)
    bin_folder(t, a.tobytes(), 50 * a.itemsize)
    put(f"npy/{t}.npy", npy(a))
bin_folder("bfloat16", (X.astype("f4").view("u4") >> 16).astype("u2").tobytes(), 100)
put("npy/fortran.npy", npy(np.asfortranarray(X)))
put("npy/big.npy", npy(X.astype(">f8")))
rows = np.empty(3, object)
for i in range(3):
    rows[i] = X[i].astype("f4")
put("npy/objects.npy", npy(rows))
put("npy.gz/rows.npy.gz", gzip.compress(npy(X), mtime=0))
for name, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
    f = io.BytesIO()
    save(f, *[x.astype("f4") for x in X])
    put(f"npz/{name}.npz", f.getvalue())
for protocol in range(6):
    put(f"pickle/lists_{protocol}.pkl", pickle.dumps(LISTS, protocol))
    put(f"pickle/arrays_{protocol}.pickle", pickle.dumps([x.astype("f8") for x in X], protocol))
put("pickle/dicts.pkl", pickle.dumps([{"sequence": x} for x in LISTS]))
put("json/lists.json", json.dumps(LISTS))
put("json/dicts.json", json.dumps([{"sequence": x} for x in LISTS]))
put("jsonl/lists.jsonl", "".join(json.dumps(x) + "\n" for x in LISTS))
put("jsonl/sequence.jsonl", "".join(json.dumps({"sequence": x}) + "\n" for x in LISTS))
put("jsonl/gluonts.jsonl", "".join(json.dumps({"start": "2020-01-01", "target": x, "item_id": str(i)}) + "\n" for i, x in enumerate(LISTS)))
put("yaml/block.yaml", yaml.safe_dump(LISTS, default_flow_style=False))
put("yaml/flow.yml", yaml.safe_dump([{"sequence": x} for x in LISTS], default_flow_style=True))
dates = pd.date_range("2020-01-01", periods=40, freq="D")
wide = pd.DataFrame(X.T.astype(float), columns=["a", "b", "c"])
wide.insert(0, "date", dates)
put("csv/wide.csv", wide.to_csv(index=False))
put("csv/wide.tsv", wide.to_csv(index=False, sep="\t"))
put("csv/long.csv", wide.melt("date", var_name="item_id", value_name="target").to_csv(index=False))
put("csv/rows.csv", pd.DataFrame([["s%d" % i, *x] for i, x in enumerate(LISTS)], columns=["V%d" % k for k in range(1, 42)]).to_csv(index=False))
put("tsf/good.tsf", "@relation x\n@attribute series_name string\n@frequency daily\n@missing false\n@equallength true\n@data\n"
    + "".join("T%d:%s\n" % (i, ",".join(map(str, x))) for i, x in enumerate(LISTS)))


def arrow(name, table, new=pa.ipc.new_stream, rows=None):
    f = io.BytesIO()
    with new(f, table.schema) as w:
        w.write_table(table, rows)
    put(f"arrow/{name}.arrow", f.getvalue())


def series(kind):
    return pa.table({"item_id": [f"T{i}" for i in range(3)], "start": pa.array([0] * 3, pa.timestamp("s")), "target": pa.array(LISTS, kind), "of": pa.array([[i] for i in range(3)])})


arrow("stream", series(pa.list_(pa.int64())), rows=2)
arrow("large", series(pa.large_list(pa.float64())), pa.ipc.new_file)
arrow("fixed", series(pa.list_(pa.float16(), 40)), pa.ipc.new_file, 1)
arrow("nested", pa.table({"target": pa.array([LISTS[:2], LISTS[2:]], pa.list_(pa.list_(pa.uint8())))}))
saved = datasets.Dataset.from_dict({"sequence": LISTS}, features=datasets.Features(sequence=datasets.List(datasets.Value("float32"))))
saved.save_to_disk(OUT / "arrow/saved", num_shards=2)
OUT = GOLDEN / "ragged"
RAGGED = [x[:n] for x, n in zip(LISTS, (40, 1, 17))]
FLOATS = [np.array(x, "f4") for x in RAGGED]
raw = np.concatenate(FLOATS).tobytes()
scales = [{"offset": o, "length": len(x)} for o, x in zip((0, 40, 41), RAGGED)]
put("bin/ragged/data-1-of-1.bin", raw)
put("bin/ragged/meta.json", json.dumps({"num_sequences": 3, "dtype": "float32", "files": {"data-1-of-1.bin": 58}, "scales": scales}))
put("jsonl/ragged.jsonl", "".join(json.dumps({"target": x}) + "\n" for x in RAGGED))
put("json/ragged.json", json.dumps(RAGGED))
table = pd.DataFrame([(f"s{i}", t, x) for i, s in enumerate(RAGGED) for t, x in enumerate(s)], columns=["unique_id", "ds", "y"])
put("csv/long.csv", table.to_csv(index=False))
put("csv/rows.csv", pd.DataFrame([["s%d" % i, *x, *[None] * (40 - len(x))] for i, x in enumerate(RAGGED)], columns=["V%d" % k for k in range(1, 42)]).to_csv(index=False))
put("tsf/ragged.tsf", "@relation x\n@attribute series_name string\n@equallength false\n@data\n" + "".join("T%d:%s\n" % (i, ",".join(map(str, x))) for i, x in enumerate(RAGGED)))
put("pickle/lists.pkl", pickle.dumps(RAGGED))
put("pickle/arrays.pickle", pickle.dumps(FLOATS))
objects = np.empty(3, object)
objects[:] = FLOATS
put("npy/ragged.npy", npy(objects))
put("npy.gz/ragged.npy.gz", gzip.compress(npy(objects), mtime=0))
for name, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
    f = io.BytesIO()
    save(f, *FLOATS)
    put(f"npz/{name}.npz", f.getvalue())
put("yaml/ragged.yaml", yaml.safe_dump([{"sequence": x} for x in RAGGED]))
arrow("ragged", pa.table({"target": pa.array(RAGGED, pa.list_(pa.float32()))}), rows=2)
