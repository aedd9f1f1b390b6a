"""tensorboard_check.py DIR - reads the event files that test_tensorboard.c wrote with TensorBoard's own reader."""
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

reader = EventAccumulator(sys.argv[1])
reader.Reload()


def points(tag):
    return [(e.step, e.value) for e in reader.Scalars(tag)]


# The second file resumes after step 10, so its step 20 stands in place of the first file's.
want = {
    "loss/train": [(10, 0.5), (20, 0.25)],
    "throughput/tokens_per_s": [(10, 1e5), (20, 1e5)],
    "val/mse": [(20, 0.75)],
}
for tag, value in want.items():
    if points(tag) != value:
        sys.exit(f"{tag}: {points(tag)}, expected {value}")
