#!/bin/sh
# check_kernels.sh - compare what nvcc says of each CUDA kernel for sm_90a with tests/gpu/kernels.txt: registers, bytes of spills.
# After `make CUDA=1`. A difference fails: look at it, spills above all, then --write the list anew.
cd "$(dirname "$0")/.." || exit 2
folder=${BUILD:-build/cc-cuda}/src/kernels/cuda
list=tests/gpu/kernels.txt
set -- "$folder"/*.log "$@"
[ -e "$1" ] || { echo "check_kernels: nothing was built in $folder: make CUDA=1 first"; exit 2; }
write=0
for last; do [ "$last" = --write ] && write=1; done
now=$(grep -h '' "$folder"/*.log | awk '
    /Compiling entry function/ { split($0, q, "\047"); name = q[2]; arch = q[4] }
    /bytes stack frame/ { spill = 0; for (i = 1; i <= NF; i++) if ($i == "spill") spill += $(i - 2) }
    /Used [0-9]+ registers/ && arch == "sm_90a" { for (i = 1; i <= NF; i++) if ($i == "Used") print name, $(i + 1), spill }' |
    c++filt | sed -e 's/fts_cuda:://g' -e 's/__nv_bfloat16/bf16/g' -e 's/^void //' -e 's/(.*) \([0-9]* [0-9]*\)$/ \1/' | LC_ALL=C sort -u)
if [ $write = 1 ]; then
    { echo "# kernel, registers, bytes of spills: nvcc $("${NVCC:-/usr/local/cuda/bin/nvcc}" --version | sed -n 's/.*, V//p'), sm_90a. Made by tools/check_kernels.sh --write"; echo "$now"; } >$list
    exit
fi
grep -v '^#' $list | { echo "$now" | diff - /dev/fd/3; } 3<&0 || { echo "check_kernels: < built now, > in $list"; exit 1; }
