# make              the program: build/foundationts (and the libraries)     make test     build and run every test
# make SAN=1 test   the same under AddressSanitizer and UBSan               make tsan     the threaded parts under ThreadSanitizer
# make CUDA=1       with a CUDA backend (nvcc 13; CUDA_HOME=/usr/local/cuda)
# make install      PREFIX=/usr/local, DESTDIR                              make test ROOMS="util data"    only these rooms
CC       ?= gcc
PREFIX   ?= /usr/local
ROOMS    ?= util hub data kernels model train probe forecast eval report api cli
VERSION  := $(shell sed -n 's/.*FTS_VERSION "\(.*\)"/\1/p' include/foundationts.h)
KIND     := $(notdir $(CC))$(if $(CUDA),-cuda)$(if $(SAN),-san)$(if $(TSAN),-tsan)
BUILD    ?= build/$(KIND)
CUDA_HOME ?= /usr/local/cuda
NVCC     ?= $(CUDA_HOME)/bin/nvcc

# A library that is missing stops the build and says what to install: nothing is left out silently.
need = $(if $(shell pkg-config --exists $(1) && echo yes),,$(error $(1) was not found: install $(2), or run script/setup))
ifeq ($(filter clean check,$(MAKECMDGOALS)),)
$(if $(shell command -v pkg-config),,$(error pkg-config was not found: install pkg-config, or run script/setup))
$(call need,libcurl,libcurl4-openssl-dev)
$(call need,libcrypto,libssl-dev)
$(call need,zlib,zlib1g-dev)
$(call need,yaml-0.1,libyaml-dev)
ifdef CUDA
$(if $(shell command -v $(NVCC)),,$(error CUDA=1: $(NVCC) was not found: install CUDA 13, or say where it is with CUDA_HOME=))
endif
# The one library that may be missing: without it --plot x.png is an error that says what to install. CAIRO=no builds without.
CAIRO        ?= $(if $(shell pkg-config --exists cairo && echo yes),yes,no)
ifeq ($(CAIRO),yes)
CAIRO_CFLAGS := -DFTS_CAIRO $(shell pkg-config --cflags cairo)
CAIRO_LIBS   := $(shell pkg-config --libs cairo)
endif
endif

WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror
OPT     ?= -O2
# No contraction: a product and a sum are fused only where the code says so, or results would differ between compilers.
CFLAGS  += -std=c11 -D_GNU_SOURCE $(OPT) -g $(WARN) -Iinclude -Isrc -fvisibility=hidden -fPIC -pthread -ffp-contract=off -MMD -MP
LDLIBS  += $(CAIRO_LIBS) -lcurl -lcrypto -lyaml -lz -lm -pthread
ifdef CUDA
# sm_90a for Hopper; for newer devices the driver compiles from PTX. The runtime is linked in: a machine without CUDA says so when it is asked for.
GENCODE  ?= -gencode arch=compute_90a,code=sm_90a -gencode arch=compute_80,code=compute_80
NVFLAGS  := -std=c++20 $(OPT) -lineinfo $(GENCODE) -Xcompiler -Wall,-fvisibility=hidden,-fPIC,-fno-exceptions,-fno-rtti,-ffp-contract=off -Xptxas -v -Iinclude -Isrc -MMD -MP
LDLIBS   += -L$(CUDA_HOME)/lib64 -lcudart_static -lstdc++ -ldl -lrt -Wl,-rpath,$(CUDA_HOME)/lib64
endif
ifdef SAN
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS  += $(SANFLAGS)
endif
ifdef TSAN
CFLAGS  += -fsanitize=thread
endif

# The CUDA kernels run in an emulator under test, if there is a C++ compiler of the same kind: EMU=no builds without. Its threads
# are fibers, which ThreadSanitizer does not know.
CXX     := $(if $(findstring clang,$(CC)),$(subst clang,clang++,$(CC)),$(if $(filter default,$(origin CXX)),g++,$(CXX)))
EMU     ?= $(if $(TSAN),no,$(if $(shell command -v $(CXX)),yes,no))
EMUFLAGS := -std=c++20 -D_GNU_SOURCE $(OPT) -g -Wall -Wextra -Werror -Wno-unknown-pragmas -Wno-missing-field-initializers -fno-exceptions -fno-rtti \
            -include tests/emu/names.h -Itests/emu -Isrc -Iinclude -pthread -ffp-contract=off -MMD -MP $(SANFLAGS)

SRC     := $(foreach r,$(ROOMS),$(wildcard src/$(r)/*.c src/$(r)/*/*.c))
SRC     := $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),$(SRC),$(filter-out src/kernels/cpu/avx2_% src/kernels/cpu/avx512_% src/kernels/cpu/dot_% src/kernels/cpu/amx_mm.c src/kernels/cpu/amx_ops.c,$(SRC)))
SRC     := $(if $(CUDA),$(SRC),$(filter-out src/kernels/cuda/%,$(SRC)))
CUOBJ   := $(if $(CUDA),$(patsubst %.cu,$(BUILD)/%.o,$(wildcard src/kernels/cuda/*.cu)))
LIBOBJ  := $(CUOBJ) $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/cli/%,$(SRC)))
CLIOBJ  := $(patsubst %.c,$(BUILD)/%.o,$(filter src/cli/%,$(SRC)))
# A device of the tests needs the kernels.
TESTOBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(if $(filter kernels,$(ROOMS)),,tests/device.c),$(wildcard tests/*.c)) $(if $(CUDA),tests/gpu/managed.c) $(foreach r,$(ROOMS),$(wildcard tests/$(r)/*.c)))
BENCHOBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/cpu/*.c))
EMUOBJ  := $(if $(filter yes,$(EMU)),$(if $(filter kernels,$(ROOMS)),$(patsubst src/kernels/cuda/%.cu,$(BUILD)/emu/%.o,$(wildcard src/kernels/cuda/*.cu)) $(addprefix $(BUILD)/emu/,emu.o libraries.o cudnn.o dnn.o dnn_graph.o cublasLt.o lt.o)))
OBJ     := $(LIBOBJ) $(CLIOBJ) $(TESTOBJ) $(EMUOBJ)
# Tests make allocations and writes fail on purpose by standing in front of these.
WRAP    := -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=write -Wl,--wrap=fsync

all: build/foundationts build/libfoundationts.so
build/foundationts build/libfoundationts.so: build/%: $(BUILD)/%
	@mkdir -p build
	cp -f $< $@
$(BUILD)/foundationts: $(CLIOBJ) $(BUILD)/libfoundationts.a
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/libfoundationts.a: $(LIBOBJ)
	rm -f $@
	ar rcs $@ $^
$(BUILD)/libfoundationts.so: $(LIBOBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libfoundationts.so.0 $^ $(LDLIBS) -o $@
$(BUILD)/tests.exe: $(TESTOBJ) $(LIBOBJ) $(EMUOBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) $(WRAP) $^ $(LDLIBS) -o $@

# The examples of the documentation are programs that must go on working.
EXAMPLES := $(BUILD)/docs/reader.exe $(BUILD)/docs/forecast.exe
test: $(BUILD)/tests.exe $(EXAMPLES) $(if $(filter cli,$(ROOMS)),$(BUILD)/foundationts $(BUILD)/libfoundationts.so $(BUILD)/bench/cpu.exe) $(PLANS) check
	FTS_PROGRAM=$(BUILD)/foundationts $(BUILD)/tests.exe $(ONLY)
run-tests: $(BUILD)/tests.exe
	$(BUILD)/tests.exe $(ONLY)
check:
	tools/check_layers.sh
	tools/check_style.sh

# Vectors are made at -O3; a sanitizer's build is to find errors, not to be fast, and gcc takes minutes for it at -O3.
TIEROPT := $(if $(SAN)$(TSAN),-O2,-O3)
$(BUILD)/src/kernels/cpu/base_%.o: CFLAGS += $(TIEROPT)
$(BUILD)/src/kernels/cpu/avx2_%.o: CFLAGS += -mavx2 -mfma $(TIEROPT)
$(BUILD)/src/kernels/cpu/avx512_%.o $(BUILD)/src/kernels/cpu/dot_ops.o $(BUILD)/src/kernels/cpu/amx_ops.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma $(TIEROPT)
$(BUILD)/src/kernels/cpu/dot_mm.o $(BUILD)/src/kernels/cpu/amx_mm.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma $(TIEROPT)
$(BUILD)/src/kernels/cpu/amx_mm.o: CFLAGS += -mamx-tile -mamx-bf16
$(BUILD)/src/data/synth_kernel.o: CFLAGS += -O3
$(BUILD)/src/report/canvas_png.o: CFLAGS += $(CAIRO_CFLAGS)
$(BUILD)/src/report/canvas_png.o: $(BUILD)/cairo
# Changes only when the answer does, so that a library that was installed later is taken up.
$(BUILD)/cairo: always
	@mkdir -p $(@D)
	@echo '$(CAIRO)' | cmp -s - $@ || echo '$(CAIRO)' >$@
ifdef CUDA
$(BUILD)/tests/gpu/managed.o: CFLAGS += -isystem $(CUDA_HOME)/include
$(BUILD)/src/kernels/backend.o: CFLAGS += -DFTS_CUDA
$(BUILD)/src/kernels/cuda/lt.o $(BUILD)/src/kernels/cuda/dnn.o $(BUILD)/src/kernels/cuda/dnn_graph.o: CFLAGS += -isystem $(CUDA_HOME)/include
# What the assembler says of registers and spills stays beside the object; tools/check_kernels.sh compares it with the list.
$(CUOBJ): $(BUILD)/%.o: %.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVFLAGS) -c $< -o $@ >$(@:.o=.log) 2>&1 || { cat $(@:.o=.log); exit 1; }
endif
$(BUILD)/tests/%.o: CFLAGS += -Itests -DCUDA_IS_BUILT_IN=$(if $(CUDA),1,0)
# Vectors longer than the machine's: nothing crosses a border between files, so how they would be passed does not matter.
$(BUILD)/tests/kernels/wide_ops.o $(BUILD)/tests/kernels/tiles_mm.o $(BUILD)/tests/kernels/dots_mm.o: CFLAGS += $(TIEROPT) -Wno-psabi
$(BUILD)/emu/emu.o: tests/emu/emu.cpp
	@mkdir -p $(@D)
	$(CXX) $(EMUFLAGS) -c $< -o $@
$(BUILD)/emu/cudnn.o $(BUILD)/emu/cublasLt.o $(BUILD)/emu/libraries.o: $(BUILD)/emu/%.o: tests/emu/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -include tests/emu/names.h -Itests/emu -c $< -o $@
$(BUILD)/emu/dnn.o $(BUILD)/emu/dnn_graph.o $(BUILD)/emu/lt.o: $(BUILD)/emu/%.o: src/kernels/cuda/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -include tests/emu/names.h -Itests/emu -c $< -o $@
$(BUILD)/emu/%.o: src/kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(CXX) -x c++ $(EMUFLAGS) -c $< -o $@
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

# cuDNN makes its plans for a device that is only described, with a driver that does nothing.
PLANS   := $(if $(CUDA),$(BUILD)/tests/gpu/plans.exe $(BUILD)/tests/gpu/libcuda.so.1)
$(BUILD)/tests/gpu/plans.exe: $(BUILD)/tests/gpu/plans.o $(BUILD)/libfoundationts.a
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/tests/gpu/libcuda.so.1: $(BUILD)/tests/gpu/driver.o
	$(CC) $(CFLAGS) $(LDFLAGS) -shared $^ -ldl -o $@

# Everything that a test run needs, so that it can be built in parallel before the tests run one after the other.
build-tests: $(BUILD)/tests.exe $(EXAMPLES) $(BUILD)/foundationts $(BUILD)/libfoundationts.so $(BUILD)/bench/cpu.exe $(BUILD)/bench/data.exe $(BUILD)/bench/forecast.exe $(PLANS)
$(EXAMPLES): %.exe: %.o $(BUILD)/libfoundationts.a
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/bench/data.exe $(BUILD)/bench/forecast.exe: %.exe: %.o $(LIBOBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@
bench-data: $(BUILD)/bench/data.exe
bench-forecast: $(BUILD)/bench/forecast.exe
$(BENCHOBJ): CFLAGS += -O3
$(BUILD)/bench/cpu.exe: $(BENCHOBJ) $(LIBOBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@
bench-cpu: $(BUILD)/bench/cpu.exe
tsan:
	$(MAKE) TSAN=1 test ONLY="par_ loader train_threads dataset_names index_gives mix_same forecast_for_several"
# FUZZ="SECONDS [NAME ...]"
fuzz:
	tools/fuzz.sh $(FUZZ)

SHARED  := libfoundationts.so
# Made by the program from its tables.
MADE    := share/man/man1/foundationts.1 share/bash-completion/completions/foundationts share/zsh/site-functions/_foundationts
install: $(BUILD)/foundationts $(BUILD)/libfoundationts.a $(BUILD)/$(SHARED)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig $(dir $(addprefix $(DESTDIR)$(PREFIX)/,$(MADE)))
	install -m 755 $(BUILD)/foundationts $(DESTDIR)$(PREFIX)/bin/
	install -m 644 include/foundationts.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(BUILD)/libfoundationts.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/$(SHARED) $(DESTDIR)$(PREFIX)/lib/$(SHARED).$(VERSION)
	ln -sf $(SHARED).$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SHARED).0
	ln -sf $(SHARED).0 $(DESTDIR)$(PREFIX)/lib/$(SHARED)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@CAIRO@|$(if $(CAIRO_LIBS), cairo)|' -e 's|@VERSION@|$(VERSION)|' foundationts.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/foundationts.pc
	$(BUILD)/foundationts --help-man >$(DESTDIR)$(PREFIX)/share/man/man1/foundationts.1
	$(BUILD)/foundationts --help-bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/foundationts
	$(BUILD)/foundationts --help-zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_foundationts
uninstall:
	cd $(DESTDIR)$(PREFIX) && rm -f bin/foundationts include/foundationts.h lib/libfoundationts.a lib/$(SHARED) lib/$(SHARED).0 lib/$(SHARED).$(VERSION) lib/pkgconfig/foundationts.pc $(MADE)

clean:
	rm -rf build
.PHONY: always all test check clean build-tests bench-data bench-forecast bench-cpu run-tests tsan fuzz install uninstall
-include $(OBJ:.o=.d) $(BUILD)/bench/data.d $(BUILD)/bench/forecast.d $(BENCHOBJ:.o=.d) $(EXAMPLES:.exe=.d)
