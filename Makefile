# SPDX-License-Identifier: Apache-2.0
# eret: build, run, check, install. `make help` lists the targets.
#
# Two builds of the same sources: the product for ARM64 (cross-built elsewhere) in build/arm64, and a native one for the unit tests,
# with AddressSanitizer and UndefinedBehaviorSanitizer, in build/native. On ARM64 both are native. Everything generated lies under build/.

MAKEFLAGS += --no-builtin-rules
# For a recipe's line to begin with. Sub-makes run in parallel, unless the user has said how many jobs there are to be;
# + tells make that it is one, and shares these.
SUBMAKE = +@$(MAKE) --no-print-directory -s $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
.DEFAULT_GOAL := all
B := build
VERSION := $(shell cat vmm/VERSION)
HOST_ARCH := $(shell uname -m)

CROSS := $(if $(filter aarch64,$(HOST_ARCH)),,aarch64-linux-gnu-)
CC_arm64 := $(CROSS)gcc
CC_native := gcc
PKG_CONFIG_arm64 := $(if $(CROSS),PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig )pkg-config
PKG_CONFIG_native := pkg-config
# The development packages of these exclude those of another architecture: libfdt's in Debian 12, libarchive's in Debian
# 13. The headers are common, the libraries are named by their sonames. (libfdt has no .pc file in Debian 12 either.)
PACKAGES := glib-2.0 json-glib-1.0 zlib libzstd liblz4 liburing libtracefs libtraceevent libelf libcrypt
LIBFDT := -l:libfdt.so.1
LIBARCHIVE := -l:libarchive.so.13
# Of the product, those that the dynamic linker loads; the others come with the first call into them (vmm/lazy/).
EAGER := glib-2.0
LAZY := json-glib-1.0 gobject-2.0 z zstd lz4 uring tracefs traceevent elf crypt $(LIBARCHIVE:-l%=%)

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wimplicit-fallthrough -Wno-unused-parameter $(if $(CI),-Werror)
CFLAGS_common := -std=gnu11 -g -I. -DG_LOG_DOMAIN=\"eret\" $(WARNINGS) -DERET_VERSION=\"$(VERSION)\" -D_FILE_OFFSET_BITS=64 -MMD -MP
# What an attacker would use is not there: pages that can be written and run, returns to where no call came from,
# branches into the middle of functions. A program has the last of these only if all its objects do: hence start.S, and
# atomics without libgcc's functions.
CFLAGS_arm64 := -O2 -fstack-protector-strong -fstack-clash-protection -mbranch-protection=standard -mno-outline-atomics -D_FORTIFY_SOURCE=2 -fPIE
LDFLAGS_arm64 := -pie -nostartfiles -Wl,-z,relro,-z,now,-z,separate-code,-z,noexecstack -Wl,--as-needed
CFLAGS_native := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS_native := -fsanitize=address,undefined

# What `make install` installs on a machine that is no ARM64 host: it has no guests, but reads recordings, merges
# reports, examines hosts and plans machines.
CC_tool := $(CC_native)
PKG_CONFIG_tool := $(PKG_CONFIG_native)
CFLAGS_tool := -O2 -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -fPIE
LDFLAGS_tool := -pie -Wl,-z,relro,-z,now,-z,separate-code,-z,noexecstack -Wl,--as-needed

# Sources that need the kernel's ARM64 KVM interface; elsewhere vmm/machine/none/ takes their place.
KVM_SOURCES := $(wildcard vmm/machine/kvm/*.c)
NO_KVM_SOURCES := $(wildcard vmm/machine/none/*.c)
LAZY_SOURCES := $(wildcard vmm/lazy/*.c)
MAIN := vmm/main.c
SOURCES := $(filter-out $(KVM_SOURCES) $(NO_KVM_SOURCES) $(LAZY_SOURCES) $(MAIN),$(wildcard vmm/*.c vmm/*/*.c vmm/*/*/*.c fdt/*.c fdt/*/*.c devices/*.c devices/*/*.c))
SOURCES_arm64 := $(SOURCES) $(KVM_SOURCES)
SOURCES_native := $(SOURCES) $(if $(CROSS),$(NO_KVM_SOURCES),$(KVM_SOURCES))
SOURCES_tool := $(SOURCES_native)
# What is embedded as data (.incbin): each such source, and the files that it reads.
EMBEDDING := vmm/trace/html-page vmm/exec/init-image vmm/boot/efi-runtime-image
EMBEDDED := $(wildcard vmm/trace/page/*) $(B)/init/eret-init $(B)/init/efi-runtime
# The first process of guests of `eret exec`: static, for ARM64, in every build.
INIT_SOURCES := $(wildcard guest-images/init/*.c)
CFLAGS_init := -std=gnu11 -D_GNU_SOURCE -Os $(WARNINGS)

UNIT_SOURCES := $(sort $(shell find tests/unit tests/board -name 'test-*.c'))
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(B)/native/%)

# Progress, on a terminal only.
say = $(if $(MAKE_TERMOUT),; printf '  %-5s %s\n' $(1) $(2))

# $(1): arm64 or native
define build_rules
CFLAGS_$(1)_all := $$(CFLAGS_common) $$(CFLAGS_$(1)) $$(shell $$(PKG_CONFIG_$(1)) --cflags $$(PACKAGES) 2>/dev/null)
LIBS_$(1) := $$(shell $$(PKG_CONFIG_$(1)) --libs $$(PACKAGES) 2>/dev/null) $$(LIBFDT) $$(LIBARCHIVE) -pthread
OBJECTS_$(1) := $$(SOURCES_$(1):%.c=$$(B)/$(1)/%.o) $$(EMBEDDING:%=$$(B)/$(1)/%.o)

$$(B)/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)$$(call say,CC,$$<)
	$$(Q)$$(CC_$(1)) $$(CFLAGS_$(1)_all) -c -o $$@ $$<

$$(EMBEDDING:%=$$(B)/$(1)/%.o): $$(EMBEDDED)
$$(B)/$(1)/%.o: %.S vmm/lazy/notes.inc Makefile
	@mkdir -p $$(@D)$$(call say,AS,$$<)
	$$(Q)$$(CC_$(1)) -I. -DERET_INIT=\"$(B)/init/eret-init\" -DERET_EFI_RUNTIME=\"$(B)/init/efi-runtime\" -c -o $$@ $$<

$$(B)/$(1)/liberet.a: $$(OBJECTS_$(1))
	$$(Q)rm -f $$@ && $$(if $$(filter arm64%,$(1)),$$(CROSS))ar rcs $$@ $$^

$$(B)/$(1)/eret: $$(B)/$(1)/$$(MAIN:.c=.o) $$(START_OBJECTS_$(1)) $$(B)/$(1)/liberet.a
	@true$$(call say,LINK,$$@)
	$$(Q)$$(CC_$(1)) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(LIBS_$(1)_eret)
endef

# $(1): arm64, or a variant of it. With START_OBJECTS it starts, and comes to the libraries that are loaded lazily.
define product_rules
START_OBJECTS_$(1) := $$(B)/$(1)/vmm/lazy/start.o $$(LAZY_SOURCES:%.c=$$(B)/$(1)/%.o) $$(B)/$(1)/vmm/lazy/trampoline.o $$(B)/$(1)/vmm/lazy/stubs.o
LIBS_$(1)_eret := $$(shell $$(PKG_CONFIG_$(1)) --libs $$(EAGER) 2>/dev/null) $$(LIBFDT) -pthread
$$(eval $$(call build_rules,$(1)))

$$(B)/$(1)/vmm/lazy/stubs.o: $$(B)/$(1)/$$(MAIN:.c=.o) $$(B)/$(1)/liberet.a vmm/lazy/stubs.sh
	@mkdir -p $$(@D)$$(call say,STUBS,$$@)
	$$(Q)vmm/lazy/stubs.sh '$$(CROSS)' $$(LAZY) -- $$(B)/$(1)/$$(MAIN:.c=.o) $$(B)/$(1)/liberet.a > $$(@:.o=.S) && $$(CC_$(1)) -I. -c -o $$@ $$(@:.o=.S)
endef
$(eval $(call product_rules,arm64))
$(eval $(call build_rules,native))
$(if $(CROSS),$(eval $(call build_rules,tool)))
LIBS_native_eret := $(LIBS_native)
LIBS_tool_eret := $(LIBS_tool)

$(B)/init/eret-init: $(INIT_SOURCES) $(wildcard guest-images/init/*.h) guest-images/eret-hypercall.h Makefile
	@mkdir -p $(@D)$(call say,INIT,$@)
	$(Q)$(CC_arm64) -I. $(CFLAGS_init) -static -s -o $@ $(INIT_SOURCES)

# EFI runtime services of guests without firmware, in every build: one piece of code for anywhere.
EFI_RUNTIME_SOURCES := guest-images/efi/runtime.S guest-images/efi/runtime.c
$(B)/init/efi-runtime: $(EFI_RUNTIME_SOURCES) guest-images/efi/calendar.h guest-images/efi/runtime.ld Makefile
	@mkdir -p $(@D)$(call say,INIT,$@)
	$(Q)$(CC_arm64) -std=gnu11 -Os -I. $(WARNINGS) $(if $(CI),-Werror) -ffreestanding -fpie -mgeneral-regs-only -mstrict-align -fno-stack-protector \
	  -fno-jump-tables -nostdlib -static -Wl,--build-id=none -Wl,-T,guest-images/efi/runtime.ld -o $@.elf $(EFI_RUNTIME_SOURCES)
	$(Q)$(CROSS)objcopy -O binary $@.elf $@

# One that lies to its host, for tests.
HOSTILE_SOURCES := guest-images/hostile/hostile.c guest-images/init/control.c guest-images/init/system.c
$(B)/guests/hostile-init: $(HOSTILE_SOURCES) guest-images/init/init.h Makefile
	@mkdir -p $(@D)$(call say,INIT,$@)
	$(Q)$(CC_arm64) $(CFLAGS_init) $(if $(CI),-Werror) -static -s -o $@ $(HOSTILE_SOURCES)
guests: $(B)/guests/hostile-init

# Sockets between guests and hosts: static, for both.
$(B)/guests/vsock-stream: guest-images/vsock/vsock-stream.c Makefile
	@mkdir -p $(@D)$(call say,LINK,$@)
	$(Q)$(CC_arm64) -std=gnu11 -Os $(WARNINGS) $(if $(CI),-Werror) -static -s -o $@ $<
guests: $(B)/guests/vsock-stream

# What programs rely on in a file system: static, for guests.
FILE_CHECKS_SOURCES := $(addprefix guest-images/files/,file-checks.c calls.c walk.c)
$(B)/guests/file-checks: $(FILE_CHECKS_SOURCES) guest-images/files/file-checks.h Makefile
	@mkdir -p $(@D)$(call say,LINK,$@)
	$(Q)$(CC_arm64) -std=gnu11 -Os $(WARNINGS) $(if $(CI),-Werror) -static -s -o $@ $(FILE_CHECKS_SOURCES)
guests: $(B)/guests/file-checks

# The product with two devices that try to get out of it, for tests: the library's own are then not asked for. And a
# guest for one of them.
$(B)/guests/eret-break-out: $(B)/arm64/tests/host/break-out.o $(B)/arm64/tests/host/scratch-stand-in.o $(B)/arm64/$(MAIN:.c=.o) $(START_OBJECTS_arm64) $(B)/arm64/liberet.a
	@mkdir -p $(@D)$(call say,LINK,$@)
	$(Q)$(CC_arm64) $(LDFLAGS_arm64) -o $@ $^ $(LIBS_arm64_eret)
$(B)/guests/ring: $(B)/bench/ring
	@mkdir -p $(@D)
	$(Q)cp $< $@
guests: $(B)/guests/eret-break-out $(B)/guests/ring

# Eret's calls from a guest's user space: static, for whatever the guest is.
$(B)/arm64/eret-guest: guest-images/eret-guest.c guest-images/eret-hypercall.h Makefile
	@mkdir -p $(@D)$(call say,LINK,$@)
	$(Q)$(CC_arm64) -std=gnu11 -Os -Wall -Wextra -static -s -o $@ $<

# Of init, what can be tested anywhere.
$(B)/native/tests/unit/guest-images/init/test-dhcp: $(B)/native/guest-images/init/dhcp.o
$(B)/native/tests/unit/guest-images/init/test-user: $(B)/native/guest-images/init/user.o
$(UNIT_TESTS): %: %.o $(B)/native/liberet.a
	$(Q)$(CC_native) $(LDFLAGS_native) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS_native) -lm
.PRECIOUS: $(B)/native/%.o

Q := $(if $(V),,@)
PREFIX ?= /usr/local
# What is installed: the program for this machine, or that for ARM64 hosts, for packages and images that are made
# elsewhere.
INSTALL_ARCH := $(or $(ARCH),$(HOST_ARCH))
INSTALL_ARM64 := $(filter aarch64 arm64,$(INSTALL_ARCH))
ifeq ($(INSTALL_ARM64)$(filter $(HOST_ARCH),$(INSTALL_ARCH)),)
$(if $(filter install,$(MAKECMDGOALS)),$(error ARCH=$(ARCH): there is eret for this machine, which is ARCH=$(HOST_ARCH), and for ARM64 hosts, ARCH=arm64))
endif
INSTALL_ERET := $(B)/$(if $(INSTALL_ARM64),arm64,tool)/eret
STRIP ?= $(if $(INSTALL_ARM64),$(CROSS))strip
BUSYBOX ?= $(B)/busybox/busybox
KERNEL ?= 6.12
# `prove` runs these on its own; each prints TAP.
HOST_TESTS := $(sort $(wildcard tests/hosts/*.sh))
SCRIPT_TESTS := $(sort $(wildcard tests/board/*.sh tests/suites/*.sh tests/bench/test-*.sh))
FORMATTED := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
# Bare-metal guests: build/guests.
include guest-images/bare/build.mk
include tests/bench/build.mk
include tests/fuzz/fuzz.mk
include tests/prove/prove.mk
include tests/sanitized/sanitized.mk

# A source of each build, for clang-tidy.
TIDY_SOURCES := $(SOURCES) $(MAIN) $(KVM_SOURCES) $(NO_KVM_SOURCES) $(LAZY_SOURCES) $(BENCH_SOURCES) $(wildcard tests/fuzz/*.c)

.PHONY: all run check check-hosts units check-units check-format check-tidy install uninstall clean distclean help packages-build packages-run packages-check packages-fuzz

# The first line of defence of every target: compilers and libraries are there. Silent and instant when they are.
packages-build packages-run packages-check packages-fuzz: packages-%:
	@tests/host/install.sh $*

# The include paths below are only known once the packages are installed, hence the second make.
all: packages-build ## build eret for ARM64 (cross-built elsewhere): build/arm64/eret
	$(SUBMAKE) $(B)/arm64/eret

run: packages-run ## boot Debian in a guest of eret, here or in an emulated ARM64 host
	$(SUBMAKE) $(B)/arm64/eret
	@guest-images/fetch.sh $(KERNEL)
	@guest-images/build-initramfs.sh $(KERNEL)
	@tests/host/run.sh

check: packages-check ## all tests: native, and guests on real KVM. ERET_LIBRARIES=debian-13: with Debian 13's libraries
	$(SUBMAKE) CI=1 $(B)/arm64/eret $(B)/native/eret units fuzz-replays guests
	@tests/check.sh tests/sources/sources.sh $(UNIT_TESTS) $(SCRIPT_TESTS)

check-hosts: packages-check ## guests on every kind of host that can be emulated; ERET_LIBRARIES= as above
	$(SUBMAKE) CI=1 $(B)/arm64/eret $(B)/native/eret guests sanitized
	@tests/check.sh $(HOST_TESTS)

units: $(UNIT_TESTS)

check-units: packages-build ## the native tests alone
	$(SUBMAKE) units
	@tests/check.sh $(UNIT_TESTS)

check-format: ## clang-format 14: is every source formatted?
	@tool=$$(tests/sources/clang.sh clang-format) && "$$tool" --dry-run --Werror $(FORMATTED)

check-tidy: ## clang-tidy 14 over all sources
	@tool=$$(tests/sources/clang.sh clang-tidy) || exit; printf '%s\n' $(strip $(TIDY_SOURCES)) | xargs -n 1 -P 2 sh -c '"$$0" --quiet "$$1" -- $(CFLAGS_common) --target=aarch64-linux-gnu $(if $(CROSS),-I/usr/aarch64-linux-gnu/include) $(shell $(PKG_CONFIG_arm64) --cflags $(PACKAGES) 2>/dev/null) 2>$(B)/tidy.$$$$ || { cat $(B)/tidy.$$$$; exit 1; }' "$$tool"; status=$$?; rm -f $(B)/tidy.*; exit $$status

# Each installed file: NAME|MODE|FILE, where NAME is below PREFIX. That of busybox is the user's to name, as it may be
# no word. Those below docs/ have the modes that they have here.
INSTALLED = bin/eret|755|$(INSTALL_ERET) lib/eret/eret-guest|755|$(B)/arm64/eret-guest $(if $(BUSYBOX),lib/eret/busybox|755|) \
  include/eret-hypercall.h|644|guest-images/eret-hypercall.h \
  share/man/man1/eret.1|644|docs/eret.1 share/man/man5/eret-suite.5|644|docs/eret-suite.5 \
  share/bash-completion/completions/eret|644|docs/eret.bash-completion \
  $(foreach file,README.md LICENSE $(DOCS),share/doc/eret/$(file)|$(if $(filter $(PROGRAMS),$(file)),755,644)|$(file))
DOCS = $(filter-out %.bash-completion,$(wildcard docs/*))
PROGRAMS = $(shell find docs -type f -perm -100)
# One word of a shell's, whatever is in it.
quote = '$(subst ','\'',$(1))'
# $(1): name, mode and file
installed_at = $(call quote,$(DESTDIR)$(PREFIX)/$(firstword $(1)))

install: packages-build ## into $(DESTDIR)$(PREFIX), for this machine; ARCH=arm64: for ARM64 hosts. STRIP= keeps symbols, BUSYBOX= leaves it out
	$(SUBMAKE) $(INSTALL_ERET) $(B)/arm64/eret-guest
	$(if $(filter $(B)/busybox/busybox,$(BUSYBOX)),@guest-images/fetch.sh busybox)
	$(foreach file,$(INSTALLED),$(call install_one,$(subst |, ,$(file))))

define install_one
install -D -m $(word 2,$(1)) $(if $(filter $(INSTALL_ERET),$(word 3,$(1))),$(if $(STRIP),-s --strip-program=$(call quote,$(STRIP)))) $(call quote,$(or $(word 3,$(1)),$(BUSYBOX))) $(call installed_at,$(1))

endef

uninstall: ## remove what `make install` has put there, with the same PREFIX and DESTDIR
	rm -f $(foreach file,$(INSTALLED),$(call installed_at,$(subst |, ,$(file))))
	-rmdir $(foreach directory,share/doc/eret/docs share/doc/eret lib/eret,$(call installed_at,$(directory))) 2>/dev/null

clean: ## remove what was built, keep downloads, and what fuzzing has found
	rm -rf $(B)/arm64 $(SANITIZED:%=$(B)/%) $(B)/native $(B)/tool $(B)/init $(B)/bare $(B)/guests $(B)/bench $(B)/host $(B)/tap $(filter-out %/corpus %/findings,$(wildcard $(B)/fuzz/*))

distclean: ## remove everything generated, downloads too
	rm -rf $(B)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile guest-images/bare/build.mk tests/bench/build.mk tests/fuzz/fuzz.mk tests/prove/prove.mk | expand -t 18

-include $(shell find $(B)/arm64 $(SANITIZED:%=$(B)/%) $(B)/native $(B)/tool $(B)/fuzz -name '*.d' 2>/dev/null)
