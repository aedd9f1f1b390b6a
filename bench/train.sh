#!/bin/sh
# train.sh - end to end: tokens/s, points/s and peak memory of training at the sanity and base sizes, one table.
# Usage: bench/train.sh [REPEATS]   (medians over REPEATS runs, the sizes alternating, default 3). Needs the program: script/build.
# The data are synthetic series (data synth) of 2,100 points, so windows are full: 512 or 4096 points.
set -eu
cd "$(dirname "$0")/.."
repeats=${1:-3}
program=build/foundationts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
[ -x $program ] || { echo "bench: $program is missing, run script/build first" >&2; exit 1; }
$program data synth "$work/data" --series 600 --length 4200 --seed 1 >/dev/null 2>&1

sanity="--hidden-size 64 --n-decoder-layers 2 --num-experts 2 --k 1 --n-head 2 --seq-max-len 512 --seq-stride 512 --batch-size 32"
base="--preset base --seq-max-len 512 --seq-stride 512 --batch-size 8"
long="--preset base --seq-max-len 4096 --seq-stride 4096 --batch-size 1"
patch="--preset base --patch --seq-max-len 4096 --seq-stride 4096 --batch-size 32"

# one NAME STEPS OPTIONS...: the last log line of a run, measured after the first few steps
one() {
    name=$1; steps=$2; shift 2
    $program train --dataset-path "$work/data" --checkpoint-dir "$work/run" --checkpoint-every 0 --val-split 0 --no-tensorboard \
        --log-perf-metrics --mfu-peak-tflops 1 --steps-per-epoch "$steps" --log-every $((steps - 2)) "$@" 2>/dev/null |
        awk -v name="$name" '/^step=/ { if (line == "") line = $0; last = $0 } END { print name, (line != "" ? line : last) }' >>"$work/lines"
    rm -rf "$work/run"
}
i=0
while [ $i -lt "$repeats" ]; do
    one sanity 42 $sanity
    one base_512 5 $base
    one base_4096 4 $long
    one base_patch32 5 $patch
    i=$((i + 1))
done

echo "# $(date -u +%Y-%m-%d), $($program --version | tr '\n' ' ')"
echo "# $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, median of $repeats runs of: bench/train.sh $repeats"
printf '%-14s %12s %12s %10s %12s\n' size tokens/s points/s step_ms peak_MB
for name in sanity base_512 base_4096 base_patch32; do
    grep "^$name " "$work/lines" | tr -d , | awk -v name=$name '
        function field(key,  i, a) { for (i = 1; i <= NF; i++) { split($i, a, "="); if (a[1] == key) return a[2] + 0 } return 0 }
        function median(v, n,  i, j, t) { for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t } return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
        { n++; tok[n] = field("toks/s"); pts[n] = field("points/s"); ms[n] = field("step_ms"); mb[n] = field("peak_mb") }
        END { printf "%-14s %12.0f %12.0f %10.1f %12.0f\n", name, median(tok, n), median(pts, n), median(ms, n), median(mb, n) }'
done
