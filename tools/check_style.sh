#!/bin/sh
# check_style.sh - fail if a source file has more than 600 lines or a function more than 60.
cd "$(dirname "$0")/.." || exit 2
find include src tests bench tools -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cpp' -o -name '*.py' | grep -v '^tests/corpus' | sort | xargs awk '
    FNR == 1 { if (last != "" && lines > 600) { print last ": " lines " lines, at most 600"; bad = 1 } last = FILENAME; start = 0 }
    { lines = FNR }
    FILENAME !~ /\.py$/ && /^\{$/ { start = FNR }
    FILENAME !~ /\.py$/ && /^\}/ { if (start && FNR - start - 1 > 60) { print FILENAME ":" start ": function of " FNR - start - 1 " lines, at most 60"; bad = 1 } start = 0 }
    END { if (lines > 600) { print last ": " lines " lines, at most 600"; bad = 1 } exit bad }'
