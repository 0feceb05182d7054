# eret: build, run, check, install. `make help` lists the targets.
#
# Two builds of the same sources: the product for ARM64 (cross-built elsewhere) in build/arm64, and a native one for the unit tests,
# with AddressSanitizer and UndefinedBehaviorSanitizer, in build/native. On ARM64 both are native. Everything generated lies under build/.

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
B := build
VERSION := $(shell cat vmm/VERSION)
HOST_ARCH := $(shell uname -m)

CROSS := $(if $(filter aarch64,$(HOST_ARCH)),,aarch64-linux-gnu-)
CC_arm64 := $(CROSS)gcc
CC_native := gcc
PKG_CONFIG_arm64 := $(if $(CROSS),PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig )pkg-config
PKG_CONFIG_native := pkg-config
# libfdt's development packages of two architectures exclude each other and it has no .pc file in Debian 12: the header is common, the library is named by its soname.
PACKAGES := glib-2.0 json-glib-1.0 zlib libzstd liblz4 liburing
LIBFDT := -l:libfdt.so.1

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wimplicit-fallthrough -Wno-unused-parameter $(if $(CI),-Werror)
CFLAGS_common := -std=gnu11 -g -I. -DG_LOG_DOMAIN=\"eret\" $(WARNINGS) -DERET_VERSION='"$(VERSION)"' -D_FILE_OFFSET_BITS=64 -MMD -MP
CFLAGS_arm64 := -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LDFLAGS_arm64 := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
CFLAGS_native := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS_native := -fsanitize=address,undefined

# Sources that need the kernel's ARM64 KVM interface; elsewhere vmm/machine-unsupported.c takes their place.
KVM_SOURCES := $(wildcard vmm/kvm/*.c)
NO_KVM_SOURCES := $(wildcard vmm/no-kvm/*.c)
MAIN := vmm/main.c
SOURCES := $(filter-out $(KVM_SOURCES) $(NO_KVM_SOURCES) $(MAIN),$(wildcard vmm/*.c vmm/*/*.c fdt/*.c devices/*.c devices/*/*.c))
SOURCES_arm64 := $(SOURCES) $(KVM_SOURCES)
SOURCES_native := $(SOURCES) $(if $(CROSS),$(NO_KVM_SOURCES),$(KVM_SOURCES))

UNIT_SOURCES := $(sort $(shell find tests/unit tests/board -name 'test-*.c'))
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(B)/native/%)

# $(1): arm64 or native
define build_rules
CFLAGS_$(1)_all := $$(CFLAGS_common) $$(CFLAGS_$(1)) $$(shell $$(PKG_CONFIG_$(1)) --cflags $$(PACKAGES) 2>/dev/null)
LIBS_$(1) := $$(shell $$(PKG_CONFIG_$(1)) --libs $$(PACKAGES) 2>/dev/null) $$(LIBFDT) -pthread
OBJECTS_$(1) := $$(SOURCES_$(1):%.c=$$(B)/$(1)/%.o)

$$(B)/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(CFLAGS_$(1)_all) -c -o $$@ $$<

$$(B)/$(1)/liberet.a: $$(OBJECTS_$(1))
	$$(Q)rm -f $$@ && $$(if $$(filter arm64,$(1)),$$(CROSS))ar rcs $$@ $$^

$$(B)/$(1)/eret: $$(B)/$(1)/$$(MAIN:.c=.o) $$(B)/$(1)/liberet.a
	$$(Q)$$(CC_$(1)) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(LIBS_$(1))
endef
$(eval $(call build_rules,arm64))
$(eval $(call build_rules,native))

$(UNIT_TESTS): %: %.o $(B)/native/liberet.a
	$(Q)$(CC_native) $(LDFLAGS_native) -o $@ $^ $(LIBS_native)
.PRECIOUS: $(B)/native/%.o

Q := $(if $(V),,@)

.PHONY: all units clean help
all: $(B)/arm64/eret ## build the product for ARM64

units: $(UNIT_TESTS) ## build the unit tests

check-units: $(UNIT_TESTS) ## run the unit tests alone
	@prove --exec '' $(UNIT_TESTS)

clean: ## remove what was built, keep downloads
	rm -rf $(B)/arm64 $(B)/native

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

-include $(shell find $(B)/arm64 $(B)/native -name '*.d' 2>/dev/null)
