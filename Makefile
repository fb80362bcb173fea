# Every variant has its own folder below build/, so none disturbs another:
#   build/dev/tinyqga   the developer's build     build/tinyqga        the release, static
#   build/asan/tinyqga  with ASan and UBSan       build/unit, build/fuzz  the tests' programs

# The families of commands that are compiled in: one word, one file in commands/.
COMMANDS ?= session file exec filesystem disk processor memory network system power account watchdog health

PREFIX ?= /usr/local
DESTDIR ?=

ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
# Debian's musl-gcc wraps the machine's own gcc.
STATIC_CC ?= $(if $(CROSS_COMPILE),$(CC),musl-gcc)
endif
STATIC_CC ?= $(CC)
SANITIZER_CC ?= clang
STRIP ?= $(CROSS_COMPILE)strip
LLVM_STRIP ?= $(firstword $(shell command -v llvm-strip llvm-strip-14 2>/dev/null))
CFLAGS ?= -O2 -g
PYTHON ?= /usr/bin/python3

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
BASE := -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CPPFLAGS)

# musl-gcc does not look where the kernel's headers are.
KERNEL_HEADERS = -idirafter /usr/include \
	-idirafter /usr/include/$(MACHINE)
# Beyond -Oz (-Os for compilers without it), what makes code larger and loops faster is left out,
# and so are vector registers, but for the functions that ask for them; without them the stack need
# not be aligned to their size.
try = $(shell $(STATIC_CC) -Werror $(1) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(1))
STATIC_FLAGS := $(or $(call try,-Oz),-Os) $(foreach flag,-mno-sse -fno-jump-tables -fno-tree-ch \
	-fno-move-loop-invariants -fno-tree-loop-im -fno-caller-saves -fno-shrink-wrap \
	-fno-thread-jumps -fno-tree-dominator-opts -fno-tree-tail-merge -fno-tree-vrp \
	-fno-ipa-modref -mskip-rax-setup -malign-data=abi,$(call try,$(flag))) \
	$(call try,-mno-sse -mpreferred-stack-boundary=3) -fno-pie -ffunction-sections -fdata-sections -fno-ident \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-stack-protector \
	-fmerge-all-constants -DSTATIC_RELEASE
# small/libc.c starts the program itself where it knows how.
# Only into musl do the smaller forms of small/libc.c fit.
MUSL := $(shell printf '\043include <features.h>\nmusl __GLIBC__\n' | \
	$(STATIC_CC) -E -P - 2>/dev/null | grep '^musl __GLIBC__')
STATIC_FLAGS += $(if $(MUSL),-include small/errno.h)
MACHINE := $(shell $(STATIC_CC) -dumpmachine 2>/dev/null)
STATIC_LINK := $(if $(MUSL),$(if $(filter x86_64-%,$(MACHINE)),-nostartfiles)) -static -no-pie -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-z,norelro \
	-Wl,-z,max-page-size=4096 -Wl,-z,common-page-size=64 -Wl,--build-id=none -Wl,--sort-section=alignment
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZER_FLAGS := -O1 -g -fno-omit-frame-pointer $(SANITIZERS)
# A profile is only kept where LLVM_PROFILE_FILE says.
FUZZ_FLAGS := $(SANITIZER_FLAGS) -fprofile-instr-generate=/dev/null -fcoverage-mapping

# What freezes has no part in the rest where the family is left out.
WITHOUT := $(if $(filter filesystem,$(COMMANDS)),,freeze.c)
BASE += $(if $(WITHOUT),-DWITHOUT_FREEZE)
SOURCES := $(filter-out $(WITHOUT),$(wildcard *.c)) $(COMMANDS:%=commands/%.c)
STATIC_SOURCES := $(SOURCES) $(if $(MUSL),small/libc.c)
LIBRARY_SOURCES := $(filter-out agent.c,$(SOURCES))
UNIT_TESTS := $(patsubst tests/unit/%.c,build/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all static asan unit fuzzers check vmcheck fuzz bench lint size install clean help FORCE
.DELETE_ON_ERROR:
# The objects of the unit tests and the fuzzers are kept.
.SECONDARY:

all: build/dev/tinyqga ## the developer's build

static: build/tinyqga ## the release: one static file, with musl

asan: build/asan/tinyqga ## the agent with AddressSanitizer and UndefinedBehaviorSanitizer

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile
	@echo '  COMMANDS="$(COMMANDS)" chooses the families of commands'
	@echo '  CC CFLAGS CPPFLAGS LDFLAGS CROSS_COMPILE STATIC_CC PREFIX DESTDIR are honoured'

# $(call variant,NAME,COMPILER,FLAGS,LINKING): objects in build/NAME/, made anew when the compiler, the
# flags or the families change, and not when they do not.
define variant
build/$(1)/flags: FORCE
	@mkdir -p build/$(1)/commands build/$(1)/small
	@echo '$(2) $(3) $(4) $(CPPFLAGS) $(LDFLAGS) $(COMMANDS)' | cmp -s - $$@ || \
		echo '$(2) $(3) $(4) $(CPPFLAGS) $(LDFLAGS) $(COMMANDS)' > $$@

build/$(1)/%.o: %.c build/$(1)/flags Makefile
	$(2) $(3) $$(OBJECT_FLAGS) $(BASE) -I. -MMD -MP -c -o $$@ $$<

-include $(patsubst %.c,build/$(1)/%.d,$(STATIC_SOURCES))
endef

$(eval $(call variant,dev,$(CC),$(CFLAGS)))
$(eval $(call variant,static,$(STATIC_CC),$(STATIC_FLAGS) $(KERNEL_HEADERS),$(STATIC_LINK)))
$(eval $(call variant,asan,$(SANITIZER_CC),$(SANITIZER_FLAGS)))
$(eval $(call variant,unit,$(CC),$(SANITIZER_FLAGS)))
$(eval $(call variant,fuzz,$(SANITIZER_CC),$(FUZZ_FLAGS) -fsanitize=fuzzer-no-link))

objects = $(patsubst %.c,build/$(1)/%.o,$(2))

build/dev/tinyqga: $(call objects,dev,$(SOURCES))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

build/static/tinyqga build/static/tinyqga.map &: $(call objects,static,$(STATIC_SOURCES))
	$(STATIC_CC) $(STATIC_LINK) $(LDFLAGS) -Wl,-Map=build/static/tinyqga.map -o build/static/tinyqga $^

# Nothing that runs needs the table of sections, but only LLVM's strip can do without, and it refuses
# what glibc's static programs have there.
build/tinyqga: build/static/tinyqga
	$(if $(and $(MUSL),$(LLVM_STRIP)),$(LLVM_STRIP) --strip-sections,$(STRIP) -R .comment) -o $@ $<

build/static/small/%.o: OBJECT_FLAGS := -fno-builtin -fno-tree-loop-distribute-patterns
# Every byte of a transfer goes through here, also where there are no vectors.
build/static/base64.o: OBJECT_FLAGS := -O2 -fno-tree-vectorize

build/asan/tinyqga: $(call objects,asan,$(SOURCES))
	$(SANITIZER_CC) $(SANITIZERS) $(LDFLAGS) -o $@ $^

build/unit/%: tests/unit/%.c $(call objects,unit,$(LIBRARY_SOURCES))
	$(CC) $(SANITIZER_FLAGS) $(BASE) -I. -MMD -MP -o $@ $(filter %.c %.o,$^) -lcmocka

FUZZED := $(call objects,fuzz,$(LIBRARY_SOURCES))
# The one for requests brings a table of harmless commands along.
build/fuzz/fuzz_request: FUZZED := $(filter-out build/fuzz/commands/%,$(FUZZED))

build/fuzz/%: tests/fuzz/%.c $(FUZZED)
	$(SANITIZER_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer $(BASE) -I. -MMD -MP -o $@ $< $(FUZZED)

-include $(UNIT_TESTS:%=%.d) $(FUZZERS:%=%.d)

unit: $(UNIT_TESTS)

fuzzers: $(FUZZERS)

check: static asan unit ## all tests that need no VM
	$(PYTHON) scripts/check.py unit wire asan

vmcheck: static ## the tests in virtual machines
	$(PYTHON) scripts/check.py vm

fuzz: fuzzers ## a minute of each fuzzer (scripts/fuzz MINUTES for longer)
	scripts/fuzz 1

bench: static ## our agent beside QEMU's and the floor
	scripts/bench

lint: ## formatting and static analysis
	scripts/lint

size: build/tinyqga build/static/tinyqga.map ## what each room costs in the release
	@scripts/size build/static/tinyqga.map build/tinyqga

install: build/tinyqga ## the release, its man page, and examples
	install -D -m 755 build/tinyqga $(DESTDIR)$(PREFIX)/sbin/tinyqga
	install -D -m 644 tinyqga.8 $(DESTDIR)$(PREFIX)/share/man/man8/tinyqga.8

clean: ## remove what was built
	rm -rf build/dev build/static build/asan build/unit build/fuzz build/tinyqga
