"""foundationts - time-series foundation models from Python: open a model, forecast; read series; train.

    import foundationts
    model = foundationts.Model("checkpoints/my_run")
    model.forecast([112, 118, 132, 129], horizon=12)            # an array of 12
    model.forecast_df(df, horizon=12)                           # a DataFrame, with the times that follow

One file over the shared library libfoundationts.so, which it looks for in this order: the path in FOUNDATIONTS_LIBRARY, beside
this file, in build/ of the repository that this file lies in, where the system keeps its libraries, /usr/local/lib. It needs numpy, and pandas for DataFrames."""
import collections.abc
import ctypes
import ctypes.util
import os
import threading
import types
import warnings

import numpy as np

__all__ = ["Error", "Model", "Series", "read", "run", "train"]


class Error(Exception):
    """Something that the library refused or that went wrong. The text says what, where, what to do; code is one of CODES."""

    CODES = ("ok", "usage", "io", "format", "net", "nomem", "device", "stopped")

    def __init__(self, message, code="usage"):
        super().__init__(message)
        self.code = code


# The library and its structures, as foundationts.h declares them.

class _FtsError(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 1024)]


class _FtsForecasterInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("parameters", "active", "patch_length", "patch_stride", "most_points", "horizons")]
    _fields_ += [("horizon", ctypes.c_int64 * 16)]


class _FtsEvent(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("text", ctypes.c_char_p), ("name", ctypes.c_char_p), ("dir", ctypes.c_char_p),
                ("step", ctypes.c_int64), ("steps", ctypes.c_int64), ("due", ctypes.c_int)]
    _fields_ += [(name, ctypes.c_double) for name in ("loss", "pred", "aux", "mae", "mse", "lr", "norm", "tokens_per_s", "points_per_s", "tflops", "mfu",
                                                      "step_ms", "data_ms", "peak_mb", "eta_s")]
    _fields_ += [("share", ctypes.POINTER(ctypes.c_double)), ("routers", ctypes.c_int), ("experts", ctypes.c_int)]


# What an event of a kind has to say, in the order of FtsEventKind.
_EVENTS = (("answer", "text"), ("notice", "text"), ("start", "text step steps dir"),
           ("step", "name text step steps eta_s due loss pred aux lr norm tokens_per_s points_per_s tflops mfu step_ms data_ms peak_mb"),
           ("baseline", "name mae mse"), ("validation", "name step pred aux mae mse"), ("experts", "step share"), ("checkpoint", "step text"),
           ("end", "step text"), ("question", "text"))

_LISTENER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(_FtsEvent))
_HANDLE, _MADE, _ERROR, _TEXT, _INT64 = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(_FtsError), ctypes.c_char_p, ctypes.c_int64
_FUNCTIONS = {
    "fts_forecaster_open": (ctypes.c_int, [_MADE, _TEXT, ctypes.c_int, _ERROR]),
    "fts_forecaster_close": (None, [_HANDLE]),
    "fts_forecaster_info": (None, [_HANDLE, ctypes.POINTER(_FtsForecasterInfo), ctypes.c_size_t]),
    "fts_forecast": (ctypes.c_int, [_HANDLE, ctypes.c_void_p, ctypes.c_void_p, _INT64, _INT64, _INT64, ctypes.c_void_p, _ERROR]),
    "fts_reader_open": (ctypes.c_int, [_MADE, _TEXT, ctypes.c_void_p, _ERROR]),
    "fts_reader_close": (None, [_HANDLE]),
    "fts_reader_series": (_INT64, [_HANDLE]),
    "fts_reader_length": (_INT64, [_HANDLE, _INT64]),
    "fts_reader_read": (ctypes.c_int, [_HANDLE, _INT64, _INT64, _INT64, ctypes.c_void_p, _ERROR]),
    "fts_task_open": (ctypes.c_int, [_MADE, _TEXT, _ERROR]),
    "fts_task_set": (ctypes.c_int, [_HANDLE, _TEXT, _TEXT, _ERROR]),
    "fts_task_operand": (ctypes.c_int, [_HANDLE, _TEXT, _ERROR]),
    "fts_task_run": (ctypes.c_int, [_HANDLE, _LISTENER, ctypes.c_void_p, _ERROR]),
    "fts_task_stop": (None, [_HANDLE]),
    "fts_task_close": (None, [_HANDLE]),
    "fts_describe": (ctypes.c_int, [ctypes.c_char_p, ctypes.c_size_t]),
}


def _places():
    here = os.path.dirname(os.path.realpath(__file__))
    return [os.path.join(here, "libfoundationts.so"), os.path.join(os.path.dirname(here), "build", "libfoundationts.so"),
            ctypes.util.find_library("foundationts"), "/usr/local/lib/libfoundationts.so.0"]


def _load():
    path = os.environ.get("FOUNDATIONTS_LIBRARY")
    if not path:        # what find_library() names has no folder: the loader knows where it is
        path = next((p for p in _places() if p and (os.path.exists(p) or not os.path.dirname(p))), None)
    if not path:
        raise ImportError("libfoundationts.so was not found: run make in the repository, or make install, or set FOUNDATIONTS_LIBRARY to its path")
    try:
        library = ctypes.CDLL(path)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as e:
        raise ImportError(f"{path} cannot be used: {e}") from None
    return library


_lib = _load()


def _call(name, *arguments):
    """A function that answers 0 or -1 with the story in its last argument."""
    e = _FtsError()
    if getattr(_lib, name)(*arguments, ctypes.byref(e)):
        raise Error(e.message.decode(errors="replace"), Error.CODES[e.code] if 0 <= e.code < len(Error.CODES) else str(e.code))


def _open(name, *arguments):
    handle = ctypes.c_void_p()
    _call(name, ctypes.byref(handle), *arguments)
    return handle


def describe():
    """One line about the library and this machine: version, backends, CPU tier."""
    text = ctypes.create_string_buffer(1024)
    _lib.fts_describe(text, len(text))
    return text.value.decode()


__version__ = describe().split()[1].rstrip(",")


# Forecasts.

def _points(x):
    """One series as (n,) float64. What pandas and numpy call missing is NaN."""
    try:
        if getattr(getattr(x, "dtype", None), "kind", "O") not in "biufO":
            raise TypeError
        if hasattr(x, "to_numpy"):
            x = x.to_numpy(dtype="float64", na_value=np.nan)
        if isinstance(x, np.ma.MaskedArray):
            x = x.astype("float64").filled(np.nan)
        a = np.asarray(x)
        if a.dtype.kind not in "biufO":
            raise TypeError
        a = np.require(a, "float64", "CA")
    except (TypeError, ValueError):
        raise Error("a series is numbers, with NaN or None where one is missing") from None
    return a


def _is_frame(x):
    return hasattr(x, "columns") and hasattr(x, "groupby")


def _many(series):
    """series as a list of (n,) arrays, and whether it was one alone."""
    if isinstance(series, collections.abc.Sequence) and (len(series) == 0 or np.ndim(series[0]) > 0):
        rows = [_points(x) for x in series]
    else:
        a = _points(series)
        if a.ndim == 1:
            return [a], True
        rows = list(a) if a.ndim == 2 else [a]
    for i, a in enumerate(rows):
        if a.ndim != 1:
            raise Error(f"series {i} has {a.ndim} dimensions: give one series, rows of a 2-d array, or a list of series")
    return rows, False


def _whole(name, value):
    try:
        return int(np.int64(value.__index__()))
    except (AttributeError, OverflowError, TypeError):
        raise Error(f"{name} is {value!r}, but must be a whole number") from None


class Model:
    """A model that continues series. path: a run, a checkpoint of one, or a published checkpoint. threads: None for what the machine allows.

    Threads of a program may share one; they wait for each other, and each forecast uses all threads of the model. A process that was
    forked or got the model in a pickle opens it anew. Neither threads nor company change a bit of a forecast."""

    _AT_ONCE = 256      # series between two looks at Ctrl-C

    def __init__(self, path, threads=None):
        self.path, self.threads = os.fspath(path), threads
        self._handle = None
        self._open()
        info = _FtsForecasterInfo()
        _lib.fts_forecaster_info(self._handle, ctypes.byref(info), ctypes.sizeof(info))
        self.parameters, self.active_parameters = info.parameters, info.active
        self.patch_length, self.patch_stride = info.patch_length, info.patch_stride
        self.max_context = info.most_points
        self.horizons = tuple(info.horizon[:info.horizons])

    def _open(self):
        self._handle = _open("fts_forecaster_open", os.fsencode(self.path), 0 if self.threads is None else _whole("threads", self.threads))
        self._pid, self._lock = os.getpid(), threading.Lock()

    def _call(self, pointers, lengths, context_length, horizon, out):
        if self._handle and self._pid != os.getpid():        # its threads stayed behind in the parent, and so does what it holds
            self._open()
        with self._lock:
            if not self._handle:
                raise Error(f"{self.path}: this model was closed")
            _call("fts_forecast", self._handle, pointers, lengths.ctypes.data, len(lengths), context_length, horizon, out.ctypes.data)

    def forecast(self, series, horizon, context_length=None):
        """Continues series by `horizon` points, in their own unit; nothing needs scaling.

        series: one series (n,), answered by (horizon,); or rows of a 2-d array, or a list of series of any lengths, answered by
        (count, horizon), float64. NaN, infinities, None and masked points are missing; those at the end are forecast too, so that the answer
        begins right behind the series; a series without an observed point is answered by NaN. A DataFrame goes to forecast_df().
        context_length: points at most that a forecast looks back on; None: all that the model was made for (max_context)."""
        if _is_frame(series):
            return self.forecast_df(series, horizon, context_length=context_length)
        rows, alone = _many(series)
        horizon, most = _whole("horizon", horizon), 0 if context_length is None else _whole("context_length", context_length)
        if context_length is not None and most < 1:
            raise Error(f"context_length is {most}, but must be at least 1")
        lengths = np.array([len(a) for a in rows], dtype="int64")
        if not 1 <= horizon <= 1000000:
            raise Error(f"horizon is {horizon}, but must be 1 to 1000000")
        out = np.empty((len(rows), horizon))
        for at in range(0, len(rows), self._AT_ONCE):
            part = rows[at:at + self._AT_ONCE]
            pointers = (ctypes.c_void_p * len(part))(*[a.ctypes.data for a in part])
            self._call(pointers, lengths[at:at + len(part)], most, horizon, out[at:])
        return out[0] if alone else out

    def forecast_df(self, df, horizon, id="item_id", time="timestamp", target="target", freq=None, context_length=None):
        """Continues the series of a long DataFrame: columns id, time and target (id None: all rows are one series). Needs pandas.

        Answers a DataFrame of the same three columns, `horizon` rows for each series, in the order in which series appear. Rows may be in any
        order. freq, as pandas names it: the step of the times; None: that of each series' times. With freq, times without a row are missing points."""
        import pandas as pd
        names = [name for name in (id, time, target) if name is not None]
        absent = [name for name in names if name not in df.columns]
        if absent:
            raise Error(f"no column {absent[0]!r}: id, time and target say which columns to take; there are {', '.join(map(repr, df.columns))}")
        if id is not None and df[id].isna().any():
            raise Error(f"column {id!r} has {int(df[id].isna().sum())} rows without an id")
        groups = [(None, df)] if id is None else df.groupby(id, sort=False, observed=True)
        series, keys, times = [], [], []
        for key, rows in groups:
            x, after = _regular(pd, "the table" if id is None else f"series {key!r}", rows[time], rows[target], freq, _whole("horizon", horizon))
            series.append(x)
            keys.append(key)
            times.append(after)
        out = self.forecast(series, horizon, context_length)
        columns = {} if id is None else {id: pd.Series(keys, dtype=df[id].dtype).repeat(horizon).reset_index(drop=True)}
        columns[time] = pd.concat([pd.Series(t) for t in times], ignore_index=True) if times else pd.Series(dtype="datetime64[ns]")
        columns[target] = out.ravel()
        return pd.DataFrame(columns)

    def close(self):
        """Frees the memory. Closing twice is fine; leaving a `with` block closes too."""
        if self._handle and self._pid == os.getpid():
            with self._lock:
                _lib.fts_forecaster_close(self._handle)
                self._handle = None
        self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None):
            self.close()

    def __reduce__(self):
        return Model, (self.path, self.threads)

    def __repr__(self):
        return f"<foundationts.Model {self.path}: {self.parameters:,} parameters, horizons {', '.join(map(str, self.horizons))}{'' if self._handle else ', closed'}>"


def _step(pd, index):
    with warnings.catch_warnings():     # pandas tells that a later one answers an offset instead of a text: date_range() takes either
        warnings.simplefilter("ignore")
        return pd.infer_freq(index) if len(index) > 2 else None


def _regular(pd, who, time, target, freq, horizon):
    """One series in the order of its times, with NaN where a time has no row, and the times that follow."""
    if not pd.api.types.is_datetime64_any_dtype(time.dtype):
        if pd.api.types.is_numeric_dtype(time.dtype):
            raise Error(f"{who}: times are numbers: make them times with pandas.to_datetime first")
        try:
            time = pd.to_datetime(time)
        except (TypeError, ValueError) as e:
            raise Error(f"{who}: a time cannot be read: {str(e).splitlines()[0]}") from None
    if time.isna().any():
        raise Error(f"{who} has rows without a time")
    index = pd.DatetimeIndex(time)
    x = pd.Series(_points(target), index=index).sort_index(kind="stable")
    index = x.index
    if index.has_duplicates:
        raise Error(f"{who} has more than one row for {index[index.duplicated()][0]}")
    try:
        step = freq or _step(pd, index)
        if step is None:
            raise Error(f"{who}: its {len(index)} times have no step that can be told: give freq, such as freq='D'; times without a row are then missing points")
        whole = pd.date_range(index[0], index[-1], freq=step)
        after = pd.date_range(index[-1], periods=horizon + 1, freq=step)
    except (TypeError, ValueError, OverflowError) as e:
        raise Error(f"{who}: {str(e).splitlines()[0]}") from None
    off = index.difference(whole)
    if len(off):
        raise Error(f"{who}: {off[0]} is not a step of {step!r} from {index[0]}")
    return x.reindex(whole).to_numpy(), after[1:]


# Series of files.

class Series(collections.abc.Sequence):
    """The series of a file or folder: data[i] is read when it is asked for, as (n,) float64 with NaN where a point is missing."""

    def __init__(self, path):
        self.path = os.fspath(path)
        self._handle = None
        self._handle = _open("fts_reader_open", os.fsencode(self.path), None)
        self._count = _lib.fts_reader_series(self._handle)

    def __len__(self):
        return self._count

    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        at = i.__index__()
        at += len(self) if at < 0 else 0
        if not 0 <= at < len(self):
            raise IndexError(f"series {i}: there are {len(self)}")
        if not self._handle:
            raise Error(f"{self.path}: was closed")
        out = np.empty(_lib.fts_reader_length(self._handle, at))
        _call("fts_reader_read", self._handle, at, 0, len(out), out.ctypes.data)
        return out

    def close(self):
        """Lets go of the files; no other thread may be reading. Closing twice is fine."""
        if self._handle:
            _lib.fts_reader_close(self._handle)
        self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None):
            self.close()

    def __repr__(self):
        return f"<foundationts.Series {self.path}: {len(self):,} series>"


def read(path):
    """The series of a file of any format that is read, of a folder that is a dataset, or of a folder that mixes them."""
    return Series(path)


# Everything else: the verbs of the program.

def _event(raw):
    kind, fields = _EVENTS[raw.kind] if raw.kind < len(_EVENTS) else ("unknown", "text")
    event = types.SimpleNamespace(kind=kind)
    for name in fields.split():
        value = getattr(raw, name)
        if name == "share":
            value = np.ctypeslib.as_array(value, (raw.routers, raw.experts)).copy()
        setattr(event, name, value.decode(errors="replace") if isinstance(value, bytes) else value)
    return event


def _set(task, option, value):
    if value is None:
        return
    if isinstance(value, (list, tuple)):
        for one in value:
            _set(task, option, one)
    elif isinstance(value, (bool, np.bool_)):
        _call("fts_task_set", task, (option if value else "no-" + option).encode(), None)
    else:
        _call("fts_task_set", task, option.encode(), os.fsencode(value if isinstance(value, (str, os.PathLike)) else str(value)))


def run(verb, *operands, on_event=None, **options):
    """Runs a verb of the program: run("data info", "sales.csv", json=True). Answers what the program would print, as one text.

    options are those of docs/flags.md with _ for -: numbers, texts, paths, True or False for a switch, a list for what may be given several times;
    None is left out. on_event(event) hears what happens: event.kind is "start", "step", "validation", ... and has the fields that foundationts.h
    names for it; False as an answer stops the task in order, as Ctrl-C does."""
    task = _open("fts_task_open", verb.encode())
    answer, broken = [], []

    def listen(_, raw):
        try:
            event = _event(raw.contents)
            if event.kind == "answer":
                answer.append(event.text)
            if on_event and on_event(event) is False:
                _lib.fts_task_stop(task)
        except BaseException as e:      # Ctrl-C too: the step is finished and saved, then it is raised
            broken.append(e)
            _lib.fts_task_stop(task)

    try:
        for option, value in options.items():
            _set(task, option.replace("_", "-"), value)
        for operand in operands:
            _call("fts_task_operand", task, os.fsencode(operand))
        try:
            _call("fts_task_run", task, _LISTENER(listen), None)
        except Error:
            if not broken:
                raise
    finally:
        _lib.fts_task_close(task)
    if broken:
        raise broken[0]
    return "\n".join(answer)


def train(on_event=None, **options):
    """Trains a model: train(dataset_path="my_series", checkpoint_dir="runs/a", steps_per_epoch=1000). See run(); options: docs/flags.md."""
    return run("train", on_event=on_event, **options)
