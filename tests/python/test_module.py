"""test_module.py MODEL DATA SIZES PROGRAM CLASS - tests of python/foundationts.py, run by tests/api/test_python.c.

MODEL: a folder of a model. DATA: a .jsonl file of series. SIZES: what the C compiler says of the structures. CLASS: Module or Frames."""
import ctypes
import json
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))
import numpy as np

import foundationts as fts

MODEL, DATA, SIZES, PROGRAM = sys.argv[1:5]
SERIES = [np.sin(np.arange(n) * 0.7) * (n + 1) + 3 for n in (24, 9, 25, 1)]


def _in_child(model, queue):
    queue.put(model.forecast(SERIES, 6).tobytes())


def _rounded(x, unit):
    """As the program writes a forecast: to a millionth of the series' deviation."""
    digits = 6 - math.floor(math.log10(unit))
    p = 10.0 ** abs(digits)
    return np.rint(x / p) * p if digits < 0 else np.rint(x * p) / p


def _lines(path):
    with open(path) as f:
        return f.read().splitlines()


class Test(unittest.TestCase):
    def setUp(self):
        self.model = fts.Model(MODEL, threads=2)
        self.addCleanup(self.model.close)

    def same(self, a, b):
        self.assertEqual(a.shape, b.shape)
        self.assertTrue(np.array_equal(a, b, equal_nan=True), f"{a} is not {b}")

    def refuses(self, text, call, *arguments, **named):
        with self.assertRaises(fts.Error) as c:
            call(*arguments, **named)
        self.assertEqual(str(c.exception), text)
        return c.exception


class Module(Test):
    def test_structures_are_those_of_the_header(self):
        want = dict(pair.split("=") for pair in SIZES.split())
        for name, value in want.items():
            kind, _, field = name.partition(".")
            kind = getattr(fts, "_" + kind)
            self.assertEqual(getattr(kind, field).offset if field else ctypes.sizeof(kind), int(value), name)
        self.assertEqual(len(want), 7)

    def test_shapes(self):
        one = self.model.forecast(SERIES[0], 7)
        self.assertEqual((one.shape, one.dtype), ((7,), np.dtype("float64")))
        many = self.model.forecast(SERIES, 7)
        self.assertEqual(many.shape, (4, 7))
        self.assertTrue(np.isfinite(many).all())
        self.same(many[0], one)
        self.same(self.model.forecast(np.stack([SERIES[0], SERIES[0][::-1]]), 7)[0], one)
        self.same(self.model.forecast(list(SERIES[0]), 7), one)
        self.same(self.model.forecast([list(SERIES[0])], 7)[0], one)
        self.assertEqual(self.model.forecast([], 7).shape, (0, 7))
        self.assertEqual(self.model.forecast(SERIES[:1] * 600, 7).shape, (600, 7))

    def test_kinds_of_numbers(self):
        whole = np.arange(20) % 5
        want = self.model.forecast(whole.astype("float64"), 3)
        for kind in ("int8", "uint16", "int64", "float16", "float32", ">f8"):
            self.same(self.model.forecast(whole.astype(kind), 3), want)
        self.same(self.model.forecast(np.repeat(whole, 2)[::2], 3), want)
        self.same(self.model.forecast(np.repeat(whole[:, None], 2, 1).astype("float64").T, 3)[1], want)

    def test_missing_points(self):
        x = SERIES[0].copy()
        x[[5, 23]] = np.nan
        want = self.model.forecast(x, 5)
        self.same(self.model.forecast([None if np.isnan(y) else y for y in x], 5), want)
        self.same(self.model.forecast(np.ma.masked_array(SERIES[0], np.isnan(x)), 5), want)
        self.same(self.model.forecast(x[:23], 6)[1:], want)
        self.same(self.model.forecast(np.append([np.nan, np.inf], x), 5), want)
        self.assertTrue(np.isnan(self.model.forecast([np.nan, np.nan], 5)).all())
        self.assertTrue(np.isnan(self.model.forecast(np.array([]), 5)).all())

    def test_context(self):
        self.assertEqual(self.model.max_context, 25)
        self.same(self.model.forecast(SERIES[0], 5, context_length=9), self.model.forecast(SERIES[0][-9:], 5))
        self.same(self.model.forecast(SERIES[0], 5, context_length=1000), self.model.forecast(SERIES[0], 5))
        self.assertFalse(np.array_equal(self.model.forecast(SERIES[0], 5, context_length=9), self.model.forecast(SERIES[0], 5)))

    def test_company_and_threads_change_nothing(self):
        want = self.model.forecast(SERIES, 6)
        with fts.Model(MODEL, threads=1) as alone:
            for i, x in enumerate(SERIES):
                self.same(alone.forecast(x, 6), want[i])
        got = [None] * 4

        def call(i):
            for _ in range(20):
                got[i] = self.model.forecast(SERIES, 6)

        threads = [threading.Thread(target=call, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for g in got:
            self.same(g, want)

    def test_other_processes(self):
        want = self.model.forecast(SERIES, 6)
        self.same(pickle.loads(pickle.dumps(self.model)).forecast(SERIES, 6), want)
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=_in_child, args=(self.model, queue))
        child.start()
        self.assertEqual(queue.get(timeout=60), want.tobytes())
        child.join(60)
        self.assertEqual(child.exitcode, 0)
        self.same(self.model.forecast(SERIES, 6), want)

    def test_what_the_program_says(self):
        with tempfile.TemporaryDirectory() as folder:
            path, out = os.path.join(folder, "in.jsonl"), [os.path.join(folder, name) for name in ("a.jsonl", "b.jsonl")]
            with open(path, "w") as f:
                for x in SERIES[:3]:
                    f.write(json.dumps(list(x)) + "\n")
            command = [PROGRAM, "forecast", "--model", MODEL, "--input", path, "--prediction-length", "10", "--output", out[0]]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            fts.run("forecast", model=MODEL, input=path, prediction_length=10, output=out[1])
            program, task = [np.array([json.loads(line)["predictions"] for line in _lines(name)]) for name in out]
        self.same(task, program)
        module = self.model.forecast(SERIES[:3], 10)
        self.same(np.stack([_rounded(y, x.std(ddof=1)) for x, y in zip(SERIES, module)]), program)

    def test_beside_numpy_products(self):
        """numpy computes with threads of its own in the same process: neither disturbs the other."""
        a = np.random.default_rng(1).standard_normal((300, 300))
        product, want = a @ a, self.model.forecast(SERIES, 6)
        stop, wrong = threading.Event(), []

        def multiply():
            while not stop.is_set():
                if not np.allclose(a @ a, product, rtol=1e-10, atol=1e-10):
                    wrong.append(1)

        t = threading.Thread(target=multiply)
        t.start()
        for _ in range(50):
            self.same(self.model.forecast(SERIES, 6), want)
        stop.set()
        t.join()
        self.assertFalse(wrong)

    def test_what_a_model_says_of_itself(self):
        self.assertEqual(repr(self.model), f"<foundationts.Model {MODEL}: {self.model.parameters:,} parameters, horizons {', '.join(map(str, self.model.horizons))}>")
        self.assertTrue(self.model.parameters > self.model.active_parameters > 0)
        self.assertEqual((self.model.patch_length, self.model.patch_stride), (1, 1))
        self.assertTrue(fts.describe().startswith(f"foundationts {fts.__version__}, "))

    def test_refusals(self):
        m = self.model
        numbers = "a series is numbers, with NaN or None where one is missing"
        self.refuses("horizon is 0, but must be 1 to 1000000", m.forecast, [1, 2], 0)
        self.refuses("horizon is 2.5, but must be a whole number", m.forecast, [1, 2], 2.5)
        self.refuses("context_length is 0, but must be at least 1", m.forecast, [1, 2], 1, context_length=0)
        for x in (["a", "b"], "text", [1, [2]], np.array(["2024-01-01"], "datetime64[D]"), {"a": 1}, [1j]):
            self.refuses(numbers, m.forecast, x, 1)
        self.refuses("series 0 has 3 dimensions: give one series, rows of a 2-d array, or a list of series", m.forecast, np.zeros((2, 2, 2)), 1)
        self.refuses("series 1 has 0 dimensions: give one series, rows of a 2-d array, or a list of series", m.forecast, [[1, 2], 3], 1)
        e = self.refuses("nowhere: no folder of a model, which has config.json and model.safetensors", fts.Model, "nowhere")
        self.assertEqual(e.code, "io")
        e = self.refuses("threads is -1, but must be 1 to 1024, or 0 for what the machine allows", fts.Model, MODEL, threads=-1)
        self.assertEqual(e.code, "usage")
        m.close()
        m.close()
        self.refuses(f"{MODEL}: this model was closed", m.forecast, [1, 2], 1)
        self.assertTrue(repr(m).endswith(", closed>"))

    def test_read(self):
        with fts.read(DATA) as data:
            self.assertEqual(len(data), 2)
            self.same(data[0], np.arange(1.0, 8))
            self.same(data[-1], np.array([10, np.nan, 30, 40]))
            self.assertEqual([len(x) for x in data], [7, 4])
            self.assertEqual(len(data[1:]), 1)
            self.assertRaises(IndexError, lambda: data[2])
            self.assertEqual(self.model.forecast(data, 3).shape, (2, 3))
        self.refuses(f"{DATA}: was closed", lambda: data[0])
        self.assertRaises(fts.Error, fts.read, "/nowhere")

    def test_run_and_train(self):
        self.refuses("data info needs a PATH", fts.run, "data info")
        self.assertRaisesRegex(fts.Error, "unknown verb 'fly'", fts.run, "fly")
        self.assertEqual(json.loads(fts.run("data info", DATA, json=True))["series"], 2)
        small = dict(hidden_size=8, n_decoder_layers=1, num_experts=2, k=1, n_head=2, seq_max_len=64, seq_stride=64, batch_size=4, steps_per_epoch=8,
                     log_every=2, val_every=4, val_max_batches=1, threads=1, tensorboard=False)
        with tempfile.TemporaryDirectory() as folder:
            data, out = os.path.join(folder, "data"), os.path.join(folder, "run")
            fts.run("data synth", data, series=12, length=200)
            heard = []
            fts.train(dataset_path=[data], checkpoint_dir=out, on_event=heard.append, **small)
            kinds = [e.kind for e in heard]
            self.assertEqual((kinds[0] if kinds[0] != "notice" else "start", heard[-1].kind), ("start", "end"))
            steps = [e for e in heard if e.kind == "step" and e.name is None]
            self.assertEqual([e.step for e in steps], list(range(1, 9)))
            self.assertTrue(all(0 < e.loss < 100 and e.steps == 8 for e in steps))
            share = next(e.share for e in heard if e.kind == "experts")
            self.assertEqual(share.shape[1], 2)
            self.assertTrue(np.allclose(share.sum(1), 1))
            self.assertEqual(heard[-1].text, "done")
            self.assertEqual(fts.Model(out).forecast([1, 2, 3], 4).shape, (4,))
            self.stops(dict(dataset_path=data, checkpoint_dir=os.path.join(folder, "other"), **small))

    def stops(self, options):
        """False and an exception end a training in order."""
        heard = []

        def no(event):
            heard.append(event)
            return not (event.kind == "step" and event.step == 3)

        fts.train(on_event=no, **options)
        self.assertEqual((heard[-1].kind, heard[-1].text), ("end", "stopped"))
        after = []

        def breaks(event):
            after.append(event.kind)
            if event.kind == "step":
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            fts.train(on_event=breaks, resume_checkpoint="latest", **options)
        self.assertIn("checkpoint", after)


class Frames(Test):
    def setUp(self):
        super().setUp()
        global pd
        import pandas as pd

    def frame(self, start="2024-01-01", freq="D", n=12, **columns):
        return pd.DataFrame({"timestamp": pd.date_range(start, periods=n, freq=freq), "target": SERIES[0][:n], **columns})

    def test_long_form(self):
        a, b = self.frame(item_id="b"), self.frame("2023-05-01 06:00", "15min", 20, item_id="a")
        mixed = pd.concat([a, b]).iloc[np.r_[0, 31:11:-1, 11:0:-1]]
        out = self.model.forecast_df(mixed, 3)
        self.assertEqual(list(out.columns), ["item_id", "timestamp", "target"])
        self.assertEqual(list(out.item_id), ["b"] * 3 + ["a"] * 3)
        self.assertEqual([str(t) for t in out.timestamp], ["2024-01-13 00:00:00", "2024-01-14 00:00:00", "2024-01-15 00:00:00",
                                                          "2023-05-01 11:00:00", "2023-05-01 11:15:00", "2023-05-01 11:30:00"])
        self.same(out.target.to_numpy(), self.model.forecast([SERIES[0][:12], SERIES[0][:20]], 3).ravel())
        self.same(self.model.forecast(mixed, 3).target.to_numpy(), out.target.to_numpy())
        whole = pd.concat([mixed, out])
        self.assertEqual(whole.dtypes.astype(str).to_dict(), mixed.dtypes.astype(str).to_dict())

    def test_names_and_one_series(self):
        df = self.frame(freq="MS").rename(columns={"timestamp": "month", "target": "sold"})
        out = self.model.forecast_df(df, 2, id=None, time="month", target="sold")
        self.assertEqual(list(out.columns), ["month", "sold"])
        self.assertEqual([str(t)[:10] for t in out.month], ["2025-01-01", "2025-02-01"])
        df["month"] = df["month"].astype(str)
        self.same(self.model.forecast_df(df, 2, id=None, time="month", target="sold").sold.to_numpy(), out.sold.to_numpy())
        df["shop"] = pd.Categorical(["x"] * 12, ["y", "x"])
        self.assertEqual(list(self.model.forecast_df(df, 1, id="shop", time="month", target="sold")["shop"]), ["x"])

    def test_steps_of_all_kinds(self):
        for freq in ("B", "W-WED", "QS", "h", "7D"):
            df = self.frame("2024-01-03", freq)
            want = pd.date_range(df.timestamp.iloc[-1], periods=5, freq=freq)[1:]
            self.assertEqual(list(self.model.forecast_df(df, 4, id=None).timestamp), list(want), freq)
        df = self.frame(pd.Timestamp("2024-03-30", tz="Europe/Berlin"), "D")
        self.assertEqual(str(self.model.forecast_df(df, 1, id=None).timestamp[0]), "2024-04-11 00:00:00+02:00")

    def test_missing(self):
        df = self.frame()
        x = df.target.to_numpy().copy()
        x[[4, 5]] = np.nan
        want = self.model.forecast(x, 3)
        self.same(self.model.forecast_df(df.assign(target=x), 3, id=None).target.to_numpy(), want)
        self.same(self.model.forecast_df(df.drop([4, 5]), 3, id=None, freq="D").target.to_numpy(), want)
        self.same(self.model.forecast(pd.Series(x), 3), want)
        self.same(self.model.forecast(pd.array(np.where(np.isnan(x), None, x), dtype="Float64"), 3), want)

    def test_refusals(self):
        df, ask = self.frame(item_id="s"), self.model.forecast_df
        self.refuses("no column 'sold': id, time and target say which columns to take; there are 'timestamp', 'target', 'item_id'", ask, df, 1, target="sold")
        self.refuses("series 's': its 11 times have no step that can be told: give freq, such as freq='D'; times without a row are then missing points", ask, df.drop(4), 1)
        self.refuses("series 's': its 2 times have no step that can be told: give freq, such as freq='D'; times without a row are then missing points", ask, df[:2], 1)
        self.refuses("series 's': 2024-01-02 00:00:00 is not a step of '2D' from 2024-01-01 00:00:00", ask, df, 1, freq="2D")
        self.refuses("series 's' has more than one row for 2024-01-03 00:00:00", ask, pd.concat([df, df[2:3]]), 1)
        self.refuses("series 's': times are numbers: make them times with pandas.to_datetime first", ask, df.assign(timestamp=range(12)), 1)
        self.refuses("series 's' has rows without a time", ask, df.assign(timestamp=df.timestamp.where(df.index != 3)), 1)
        self.refuses("column 'item_id' has 1 rows without an id", ask, df.assign(item_id=[None] + ["s"] * 11), 1)
        self.refuses("a series is numbers, with NaN or None where one is missing", ask, df.assign(target="x"), 1)
        self.assertRaises(fts.Error, ask, df, 1, freq="often")
        self.assertRaises(fts.Error, ask, df.assign(timestamp="soon"), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:])
