# SPDX-License-Identifier: Apache-2.0
# Bare-metal guests: build/guests/NAME (ELF) and build/guests/NAME.Image (the same as a flat binary with the header of a Linux kernel), for each
# NAME.c beside this file, with what is in NAME/; and build/guests/NAME.flash, for --firmware. For the top-level Makefile to include, or alone, from the
# top of the tree:
#
#   make -f guest-images/bare/build.mk [CROSS=]       CROSS is the compiler's prefix: empty on ARM64
#
# Objects lie in build/bare/.

B ?= build
CROSS ?= $(if $(filter aarch64,$(shell uname -m)),,aarch64-linux-gnu-)

BARE_DIR := guest-images/bare
BARE_NAMES := $(sort $(patsubst $(BARE_DIR)/%.c,%,$(wildcard $(BARE_DIR)/*.c)))
BARE_GUESTS := $(BARE_NAMES:%=$(B)/guests/%) $(BARE_NAMES:%=$(B)/guests/%.Image)
# $(1): the name of a guest. Objects of its own, beside that of NAME.c.
bare_pieces = $(patsubst $(BARE_DIR)/%,$(B)/bare/%.o,$(wildcard $(BARE_DIR)/$(1)/*.c))
# As firmware, with what starts it in flash in front.
BARE_FIRMWARE := $(B)/guests/flash-hostile.flash
BARE_RUNTIME := $(patsubst $(BARE_DIR)/%,$(B)/bare/%.o,$(wildcard $(BARE_DIR)/runtime/*.c $(BARE_DIR)/runtime/*.S))

# General registers only: floating point is off until somebody turns it on. Strict alignment: the MMU is off at first. No outline atomics: they are
# in a library that is not there. No loops turned into memset, least of all in memset.
BARE_FLAGS := -std=gnu11 -O2 -g -ffreestanding -mgeneral-regs-only -mstrict-align -mno-outline-atomics -fno-tree-loop-distribute-patterns \
    -fno-stack-protector -fno-pic -fno-asynchronous-unwind-tables -I$(BARE_DIR)/runtime \
    -Wall -Wextra -Wshadow -Wmissing-prototypes -Wimplicit-fallthrough $(if $(CI),-Werror) -MMD -MP $(BARE_EXTRA)
BARE_LINK := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-T,$(BARE_DIR)/runtime/guest.ld

.PHONY: guests
guests: $(BARE_GUESTS) $(BARE_FIRMWARE) ## build the bare-metal guests: build/guests

$(B)/bare/%.c.o: $(BARE_DIR)/%.c $(BARE_DIR)/build.mk
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(BARE_FLAGS) -c -o $@ $<

$(B)/bare/%.S.o: $(BARE_DIR)/%.S $(BARE_DIR)/build.mk
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(BARE_FLAGS) -c -o $@ $<

$(BARE_NAMES:%=$(B)/guests/%): $(B)/guests/%: $(B)/bare/%.c.o $(BARE_RUNTIME) $(BARE_DIR)/runtime/guest.ld
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(BARE_LINK) -o $@ $(filter %.o,$^)

$(foreach name,$(BARE_NAMES),$(eval $(B)/guests/$(name): $(call bare_pieces,$(name))))

$(B)/bare/flash-start.bin: $(B)/bare/flash-start.S.o
	$(Q)$(CROSS)objcopy -O binary --pad-to 4096 $< $@

$(BARE_FIRMWARE): %.flash: $(B)/bare/flash-start.bin %.Image
	$(Q)cat $^ > $@

$(BARE_NAMES:%=$(B)/guests/%.Image): %.Image: %
	$(Q)$(CROSS)objcopy -O binary $< $@

.SECONDARY: $(BARE_RUNTIME) $(BARE_NAMES:%=$(B)/bare/%.c.o) $(foreach name,$(BARE_NAMES),$(call bare_pieces,$(name)))
-include $(wildcard $(B)/bare/*.d $(B)/bare/*/*.d)
