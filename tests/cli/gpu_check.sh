#!/bin/sh
# gpu_check.sh - script/gpu-check without a GPU: what it calls is played by this file, which lets a clock of its own run on. Used by test_gpu_check.c.
# Usage: gpu_check.sh FOLDER [MODE]      FOLDER: empty. Prints what script/gpu-check prints, then the seconds of that clock; ends with its status.
# ROW: seconds of a row; CHECK: of a check of ops; BAD: a name among the arguments of a test that then fails; GPU=no: there is none.
play() { if [ "$1" -le "${LIMIT:-9999}" ]; then echo "$1" >>"$FAKE/clock"; else echo "$LIMIT" >>"$FAKE/clock"; exit 124; fi; }
clock() { sum=0; while read -r n; do sum=$((sum + n)); done <"$FAKE/clock"; echo $sum; }
option() { while [ $# -gt 1 ]; do [ "$1" != --checkpoint-dir ] || echo "$2"; shift; done; }
case ${0##*/} in
date) if [ "$1" = +%s ]; then clock; else echo 2026-01-31; fi; exit ;;
nvidia-smi) [ "$GPU" != no ] || exit 9; case $1 in *name*) echo "a GPU, 1.2, 3 MiB" ;; *) echo Exclusive_Process ;; esac; exit ;;
timeout) LIMIT=$3; export LIMIT; shift 3; "$@"; exit ;;
nvcc) echo "release 13.0, V13.0.88"; exit ;;
make) play 60; exit ;;
compute-sanitizer) play 10; exit ;;
tests.exe) play "${CHECK:-1}"; case " $* " in *" ${BAD:-none} "*) echo "not ok - it"; exit 1 ;; esac; exit ;;
forecast.exe) [ "$3" != bf16 ] || play 1; echo "context=512 horizon=96 median_ms=0.900"; exit ;;
python)
    [ "$1" != -c ] || { echo 2.9.1; exit; }
    play "${ROW:-1}"
    echo "parameters=113000000"
    for i in 1 2 3 4 5; do echo "step=$i loss=1 toks/s=400 points/s=400 step_ms=$i"; done
    exit ;;
foundationts)
    to=$(option "$@")
    case $* in
    *--dry-run*) printf 'parameters 452,000,000 bytes\ntotal, on the device 9,000,000,000\nlargest batch in one micro-batch: 77 windows\n' ;;
    *--log-perf-metrics*) play "${ROW:-1}"; echo "step=8 loss=1 toks/s=1,000 points/s=1,000 mfu=0.400 step_ms=65.5" ;;
    train*)
        play 1
        mkdir -p "$to/latest" "$to/step_000004" "$to/step_000006" "$to/profiler"
        for f in latest/model latest/optimizer; do echo bytes >"$to/$f.safetensors"; done
        echo attention >"$to/profiler/ops.txt"
        echo "step=8 loss=0.5" ;;
    esac
    exit ;;
esac
FAKE=$1
here=$(cd "$(dirname "$0")" && pwd)
bin=$FAKE/bin build=$FAKE/build
mkdir -p "$bin" "$build/bench" "$build/src/kernels/cuda"
: >"$FAKE/clock"
for name in date timeout nvidia-smi nvcc make compute-sanitizer python; do ln -s "$here/gpu_check.sh" "$bin/$name"; done
for name in foundationts tests.exe bench/forecast.exe; do ln -s "$here/gpu_check.sh" "$build/$name"; done
awk -v q="'" '!/^#/ { spill = $NF; used = $(NF - 1); sub(/ [0-9]+ [0-9]+$/, "")
    print "Compiling entry function " q $0 q " for " q "sm_90a" q; print "0 bytes stack frame, " spill " bytes spill"; print "Used " used " registers" }' \
    "$here/../gpu/kernels.txt" >"$build/src/kernels/cuda/all.log"
export FAKE
PATH=$bin:$PATH FTS_BENCH_PYTHON=$bin/python GPU_CHECK_BUILD=$build GPU_CHECK_FOLDER=$FAKE/work "$here/../../script/gpu-check" ${2:-}
status=$?
echo "$(clock) s"
exit $status
