#!/bin/sh
# cpu.sh - the CPU benchmark, as a Markdown report on stdout: what the machine can do, ops, training beside PyTorch.
# Usage: bench/cpu.sh [--quick|--smoke] [--anyway] [--sizes=WORD] >bench/results/DATE-cpu.md
#   --quick    the sizes that matter, few repetitions, some ten minutes        --smoke    does it run at all, a second or two
#   --anyway   on a busy machine too, and the report says so                   --sizes=WORD    only those with WORD in their name
# Builds what it needs with make. Environment: FTS_BENCH_PYTHON, a Python with torch and numpy (without it that column is left out);
# FTS_BENCH_RAGGED, a folder of mostly short series (made here otherwise); BUILD, as for make: with it nothing is built.
set -eu
cd "$(dirname "$0")/.."
extent=full anyway= sizes=
for word in "$@"; do
    case $word in
    --quick) extent=quick ;;
    --smoke) extent=smoke ;;
    --anyway) anyway=anyway ;;
    --sizes=*) sizes=${word#*=} ;;
    *) sed -n '2,8s/^# *//p' "$0" >&2; exit 2 ;;
    esac
done
[ -n "${BUILD:-}" ] || make -s all bench-cpu >&2
build=${BUILD:-build/$(basename "${CC:-cc}")}
program=$build/foundationts
python=${FTS_BENCH_PYTHON:-}
if [ -n "$python" ] && ! torch=$("$python" -c 'import torch, numpy; print(torch.__version__)' 2>/dev/null); then
    echo "cpu.sh: $python has no torch and numpy" >&2
    python=
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Full windows, and lengths as collections of short series have them: a window of 150 points on average where 4096 may be.
synth() { "$program" data synth "$work/$1" --series "$2" --length "$3" --seed 1 >/dev/null 2>&1; }
if [ $extent = smoke ]; then
    synth data 8 70
else
    synth data 600 4200
fi
ragged=${FTS_BENCH_RAGGED:-$work/ragged}
if [ "$ragged" = "$work/ragged" ] && [ $extent != smoke ]; then
    synth ragged/a 2700 50
    synth ragged/b 1600 100
    synth ragged/c 400 330
    synth ragged/d 700 900
    synth ragged/e 10 7000
fi
if [ -n "$python" ]; then "$python" bench/train_torch.py check "$program" >"$work/check" || { cat "$work/check" >&2; exit 1; }; fi

cat <<TEXT
# CPU: what the machine can do, ops, training ($(date -u +%Y-%m-%d))

$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores ($(uname -m)), $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), Linux $(uname -r);
$(${CC:-cc} --version | head -1); $("$program" --version | tr '\n' ' ')$(git rev-parse --short HEAD 2>/dev/null)
${torch:+PyTorch $torch, its losses equal ours from one checkpoint on one batch.}

    bench/cpu.sh $*
TEXT
"$build/bench/cpu.exe" $extent $anyway "$sizes" "$program" "$python" "$work/data" "$ragged" "$work"
