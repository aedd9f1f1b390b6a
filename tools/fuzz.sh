#!/bin/sh
# fuzz.sh - runs the libFuzzer targets of tests/fuzz, each from its corpus. Needs clang.
# Usage: tools/fuzz.sh [SECONDS [NAME ...]]    default: 60 seconds each of all. A crash is kept in build/fuzz and fails.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
command -v clang >/dev/null || { echo "fuzz: clang was not found: install clang" >&2; exit 1; }
out=build/fuzz
flags="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"
CFLAGS="$flags -fsanitize=fuzzer-no-link" make -s -j"$(nproc)" CC=clang BUILD=$out $out/libfoundationts.a
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    corpus=$(find tests/corpus -type d -name "$name")
    [ -n "$corpus" ] || { echo "fuzz: no folder tests/corpus/.../$name for $source" >&2; exit 1; }
    mkdir -p $out/found/"$name"
    echo "$name $corpus"
done >$out/targets
# As many at a time as there are cores; what one prints stays together.
export flags out seconds
xargs -P "$(nproc)" -L 1 sh -uc '
    rc=0
    {
        echo "== $0: $seconds seconds from $1" &&
        clang -std=c11 -D_GNU_SOURCE $flags -fsanitize=fuzzer -Iinclude -Isrc tests/fuzz/fuzz_"$0".c $out/libfoundationts.a $(pkg-config --libs libcurl libcrypto zlib yaml-0.1) -lm -pthread -o $out/fuzz_"$0" &&
        $out/fuzz_"$0" -max_total_time="$seconds" -print_final_stats=0 -verbosity=0 -artifact_prefix=$out/crash-"$0"- $out/found/"$0" "$1"
    } >$out/"$0".log 2>&1 || rc=1
    cat $out/"$0".log
    exit $rc' <$out/targets
