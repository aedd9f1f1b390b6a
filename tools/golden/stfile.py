"""stfile.py - writes a .safetensors file. Own code, because the files must be the same bytes with every version of
the safetensors package, or with none."""
import json
import struct

import numpy as np

TYPES = {np.dtype("float32"): "F32", np.dtype("int32"): "I32"}


def padded_header(entries):
    """JSON of the entries, with spaces at its end so that the data, after 8 bytes of length, starts 8-byte aligned."""
    text = json.dumps(entries, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def write(path, tensors, metadata):
    """tensors: name -> array of float32 or int32; metadata: string -> string. Names are sorted, data has no gaps."""
    entries, blocks, at = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        x = np.asarray(tensors[name], order="C")
        block = x.astype(x.dtype.newbyteorder("<")).tobytes()
        entries[name] = {"dtype": TYPES[x.dtype], "shape": list(x.shape), "data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    header = padded_header(entries)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + b"".join(blocks))
