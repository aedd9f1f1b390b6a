"""make_arrow.py - writes tests/corpus/data/arrow: files of Arrow, good ones by pyarrow and bad ones by changing their bytes.

    python tools/golden/make_arrow.py          needs pyarrow

tests/data/test_arrow.c knows what each holds, or what is wrong with it."""
import io
import json
import pathlib
import struct

import pyarrow as pa

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/corpus/data/arrow"
SERIES = [[1, 2, None], None, [], [4]]


def put(name, data):
    path = OUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write(table, rows=None, new=pa.ipc.new_stream, **options):
    f = io.BytesIO()
    with new(f, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        w.write_table(table, rows)
    return f.getvalue()


def lists(kind, rows=SERIES, name="target"):
    return pa.table({name: pa.array(rows, kind)})


class Bytes:
    """The bytes of a stream, with the places of fields in its tables."""

    def __init__(self, data):
        self.b = bytearray(data)

    def get(self, kind, at):
        return struct.unpack_from("<" + kind, self.b, at)[0]

    def put(self, kind, at, x):
        struct.pack_into("<" + kind, self.b, at, x)
        return self

    def message(self, k):
        """Where the metadata of message k begins."""
        at = 8
        for _ in range(k):
            meta = self.get("I", at - 4)
            at += meta + self.get("q", self.field(self.root(at), 3)) + 8 if self.field(self.root(at), 3) else meta + 8
        return at

    def root(self, at):
        return at + self.get("I", at)

    def field(self, table, slot):
        vtable = table - self.get("i", table)
        off = self.get("H", vtable + 4 + 2 * slot) if 4 + 2 * slot < self.get("H", vtable) else 0
        return table + off if off else 0

    def slot(self, table, slot):
        return table - self.get("i", table) + 4 + 2 * slot

    def follow(self, table, slot):
        at = self.field(table, slot)
        return at + self.get("I", at)

    def header(self, k):
        return self.follow(self.root(self.message(k)), 2)

    def column(self, i):
        v = self.follow(self.header(0), 1) + 4 + 4 * i
        return v + self.get("I", v)

    def item(self, vector, k, size):
        """Item k of a vector of the first batch (1: nodes, 2: buffers)."""
        return self.follow(self.header(1), vector) + 4 + k * size

    def body(self, k):
        return self.message(k) + self.get("I", self.message(k) - 4)


def laughs(levels):
    """A schema of structs, each of which has the next one twice: 2 to the power of `levels` in few bytes."""
    b = struct.pack("<I5Hxx iHBxI 4H iI II", 16, 10, 12, 4, 6, 8, 12, 4, 1, 12, 8, 8, 0, 4, 8, 4, 1, 20)
    for k in range(levels):
        b += struct.pack("<8H iB3xI 3I8x", 16, 12, 0, 0, 4, 0, 0, 8, 16, 13, 4, 2 * (k + 1 < levels), 32, 28)
    return struct.pack("<iI", -1, len(b)) + b


for t in "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split():
    put(f"type_{t}.arrow", write(lists(pa.list_(pa.type_for_alias(t)))))
put("type_bool.arrow", write(lists(pa.list_(pa.bool_()), [[True, False, None], None, [], [True] * 9])))
f4 = pa.list_(pa.float32())
good = write(lists(f4))
put("batches.arrow", write(lists(f4), 1))
put("file.arrow", write(lists(f4), 3, pa.ipc.new_file))
put("file.feather", write(lists(f4, name="values"), 3, pa.ipc.new_file))
put("large.arrow", write(lists(pa.large_list(pa.float64()))))
put("fixed.arrow", write(lists(pa.list_(pa.int16(), 2), [[1, 2], None, [None, 4]])))
put("no_rows.arrow", write(lists(f4, [])))
put("no_batches.arrow", write(lists(f4).slice(0, 0), None))
put("lists.arrow", write(lists(pa.list_(f4), [[[1, 2], [3]], None, [], [None, [None, 5]]])))
put("fixed_lists.arrow", write(lists(pa.list_(f4, 2), [[[1, 2], [3]], None, [[4], []]])))
put("lists_fixed.arrow", write(lists(pa.large_list(pa.list_(pa.uint8(), 2)), [[[1, 2], [3, 4]], None, [[5, 6]]])))
put("old.arrow", write(lists(f4), 2, use_legacy_format=True, metadata_version=pa.ipc.MetadataVersion.V4))
put("sequence.arrow", write(pa.table({"target": [[1.0]], "of": [[2.0]], "sequence": [[3.0]]})))
put("column.arrow", write(pa.table({"date": pa.array([0, 1, 2, 3, 4], pa.date32()), "y": pa.array([1, 2, None, 4, 5], pa.int32())}), 2))

s = Bytes(good)                                     # the first list does not begin with the first number
s.put("i", s.body(1) + s.get("q", s.item(2, 1, 16)), 1)
put("sliced.arrow", bytes(s.b))
s = write(lists(f4), 3, pa.ipc.new_file)            # a file whose first message lies at byte 64, as other writers have it
footer = Bytes(s[-10 - struct.unpack("<i", s[-10:-6])[0] : -10])
blocks = footer.follow(footer.root(0), 3)
for k in range(footer.get("I", blocks)):
    footer.put("q", blocks + 4 + 24 * k, footer.get("q", blocks + 4 + 24 * k) + 56)
put("padded.arrow", s[:8] + b"\0" * 56 + s[8 : -10 - len(footer.b)] + bytes(footer.b) + s[-10:])
footer.put("q", blocks + 4 + 24, footer.get("q", blocks + 4))
put("bad_overlap.arrow", s[:8] + b"\0" * 56 + s[8 : -10 - len(footer.b)] + bytes(footer.b) + s[-10:])

# Columns of every kind before and behind the one that is read.
n = pa.array([1, 2, 3, 4], pa.int32())
kinds = {
    "null": pa.nulls(4), "text": pa.array(["a", None, "bcd", ""]), "large_text": pa.array(["a", "b", "c", "d"], pa.large_string()), "binary": pa.array([b"a"] * 4),
    "large_binary": pa.array([b"a"] * 4, pa.large_binary()), "fixed_binary": pa.array([b"ab"] * 4, pa.binary(2)), "bool": pa.array([True, False, None, True]),
    "time": n.cast(pa.time32("s")), "date": n.cast(pa.date32()), "timestamp": pa.array([1, 2, 3, 4], pa.timestamp("ns", "UTC")), "duration": pa.array([1] * 4, pa.duration("s")),
    "interval": pa.array([(1, 2, 3)] * 4, pa.month_day_nano_interval()), "decimal": n.cast(pa.decimal128(12, 2)), "int": n,
    "struct": pa.array([{"a": 1, "b": [{"c": "x"}]}] * 4), "map": pa.array([[("a", [1])]] * 4, pa.map_(pa.string(), pa.list_(pa.int8()))),
    "dictionary": pa.array(["a", "b", "a", "b"]).dictionary_encode(), "lists_of_text": pa.array([["a"], [], None, ["b"]]),
    "sparse": pa.UnionArray.from_sparse(pa.array([0, 1, 0, 1], pa.int8()), [n, n.cast(pa.float32())]),
    "dense": pa.UnionArray.from_dense(pa.array([0, 1, 0, 1], pa.int8()), n.cast(pa.int32()).take(pa.array([0, 0, 1, 1])), [n, n.cast(pa.float32())]),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([4], pa.int32()), pa.array(["x"])), "text_view": pa.array(["a" * 20, "b" * 20, "c", "d"], pa.string_view()),
    "binary_view": pa.array([b"a"] * 4, pa.binary_view()), "list_view": pa.array([[1], [], None, [2]], pa.list_view(pa.int32())),
}
others = pa.table({**kinds, "target": pa.array(SERIES, f4), "last": kinds["text_view"]})
put("others.arrow", write(others))
put("others_file.arrow", write(others, None, pa.ipc.new_file))
unions = pa.table({"dense": kinds["dense"], "sparse": kinds["sparse"], "target": pa.array(SERIES, f4)})
put("others_old.arrow", write(unions, metadata_version=pa.ipc.MetadataVersion.V4))

put("bad_lz4.arrow", write(lists(f4), compression="lz4"))
put("bad_zstd.arrow", write(lists(f4), compression="zstd"))
put("bad_coded.arrow", write(lists(pa.list_(pa.dictionary(pa.int8(), pa.int32())), [[1], [2]])))
put("bad_view.arrow", write(lists(pa.list_view(pa.float32()))))
put("bad_text.arrow", write(lists(pa.list_(pa.string()), [["a"]])))
put("bad_deep.arrow", write(lists(pa.list_(pa.list_(f4)), [[[[1]]]])))
put("bad_empty_lists.arrow", write(lists(pa.list_(pa.float32(), 0), [[], []])))
put("bad_several.arrow", write(pa.table({"a": [[1.0]], "b": [[1]], "c": [1]})))
put("bad_numbers.arrow", write(pa.table({"day": ["x"], "a": [1.0], "b": [2]})))
put("bad_long.arrow", write(pa.table({"item_id": ["a", "b"], "target": [1.0, 2.0]})))
put("bad_none.arrow", write(pa.table({"a": ["x"]})))
put("bad_flattened.arrow", write(pa.table({"target": [[1.0] * 4], "target._np_shape": [[2, 2]]})))
put("bad_laughs.arrow", laughs(40))
put("bad_parquet.arrow", b"PAR1" + b"\0" * 20 + b"PAR1")
put("bad_feather.arrow", b"FEA1" + b"\0" * 20 + b"FEA1")
put("bad_other.arrow", b"no data of Arrow")
put("bad_none_at_all.arrow", b"")
put("bad_cut.arrow", good[:-40])
put("bad_cut_file.arrow", write(lists(f4), None, pa.ipc.new_file)[:-1])

s = Bytes(good)
put("bad_no_schema.arrow", good[s.message(1) - 8 :])
s.put("H", s.slot(s.header(0), 0), s.get("H", s.slot(s.header(0), 1)))
put("bad_big_endian.arrow", bytes(s.b))
for name, kind, place, value in [
    ("version", "h", lambda s: s.field(s.root(8), 0), 2), ("unknown", "B", lambda s: s.field(s.column(0), 2), 27), ("pointer", "I", lambda s: s.field(s.header(0), 1), 1 << 30),
    ("body", "q", lambda s: s.field(s.root(s.message(1)), 3), 1 << 40), ("rows", "q", lambda s: s.field(s.header(1), 0), 3), ("nulls", "q", lambda s: s.item(1, 1, 16) + 8, 99),
    ("node", "q", lambda s: s.item(1, 1, 16), 1 << 60), ("buffer", "q", lambda s: s.item(2, 3, 16), 1 << 40), ("short", "q", lambda s: s.item(2, 3, 16) + 8, 3),
    ("offsets", "i", lambda s: s.body(1) + s.get("q", s.item(2, 1, 16)) + 4, -1), ("beyond", "i", lambda s: s.body(1) + s.get("q", s.item(2, 1, 16)) + 16, 5),
    ("nodes", "I", lambda s: s.follow(s.header(1), 1), 1), ("message", "B", lambda s: s.field(s.root(s.message(1)), 1), 4),
]:
    s = Bytes(good)
    put(f"bad_{name}.arrow", bytes(s.put(kind, place(s), value).b))

# A folder as save_to_disk of datasets leaves it, of two shards with one series.
column = pa.table({"y": [1.0, 2.0, 3.0]})
for i in range(2):
    put(f"saved/data-0000{i}-of-00002.arrow", write(column.slice(2 * i, 2), 1))
state = {"_data_files": [{"filename": f"data-0000{i}-of-00002.arrow"} for i in (1, 0)], "_fingerprint": "0", "_indices_files": None, "_split": None}
put("saved/state.json", json.dumps(state).encode())
put("saved/dataset_info.json", b"{}")
