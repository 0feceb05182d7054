# SPDX-License-Identifier: Apache-2.0
# `make fuzz` and `make fuzz-keep`, for the top-level Makefile to include. The same sources once more, for this machine and by clang, with
# libFuzzer's counters, AddressSanitizer and UndefinedBehaviorSanitizer: build/fuzz. One program for each tests/fuzz/fuzz-NAME.c.

CC_fuzz := clang
PKG_CONFIG_fuzz := $(PKG_CONFIG_native)
CFLAGS_fuzz := -w -O1 -gline-tables-only -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS_fuzz := -fsanitize=address,undefined
SOURCES_fuzz := $(SOURCES_native)
$(eval $(call build_rules,fuzz))

FUZZ_NAMES := $(patsubst tests/fuzz/fuzz-%.c,%,$(sort $(wildcard tests/fuzz/fuzz-*.c)))
# Of init, what can run anywhere.
$(B)/fuzz/fuzz-user: $(B)/fuzz/guest-images/init/user.o $(B)/fuzz/guest-images/init/dhcp.o
# Devices without threads: io-here.c.
$(B)/fuzz/fuzz-board $(B)/fuzz/fuzz-flash $(B)/fuzz/fuzz-vhost-device: $(B)/fuzz/tests/fuzz/io-here.o
FUZZ_PROGRAMS := $(FUZZ_NAMES:%=$(B)/fuzz/fuzz-%)
$(FUZZ_PROGRAMS): $(B)/fuzz/fuzz-%: $(B)/fuzz/tests/fuzz/fuzz-%.o $(B)/fuzz/tests/fuzz/fuzz.o $(B)/fuzz/liberet.a
	@true$(call say,LINK,$@)
	$(Q)$(CC_fuzz) $(LDFLAGS_fuzz) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS_fuzz)
.PRECIOUS: $(B)/fuzz/%.o

# The same without clang: gcc's sanitizers, and replay.c in libFuzzer's place. What tests/board/fuzz.sh runs.
FUZZ_REPLAYS := $(FUZZ_NAMES:%=$(B)/native/fuzz-%)
$(B)/native/fuzz-user: $(B)/native/guest-images/init/user.o $(B)/native/guest-images/init/dhcp.o
$(B)/native/fuzz-board $(B)/native/fuzz-flash $(B)/native/fuzz-vhost-device: $(B)/native/tests/fuzz/io-here.o
$(FUZZ_REPLAYS): $(B)/native/fuzz-%: $(B)/native/tests/fuzz/fuzz-%.o $(B)/native/tests/fuzz/fuzz.o $(B)/native/tests/fuzz/replay.o $(B)/native/liberet.a
	$(Q)$(CC_native) $(LDFLAGS_native) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS_native)

# The decoder against objdump's: tests/board/decoder.sh.
$(B)/native/decoder: $(B)/native/tests/fuzz/decoder.o $(B)/native/liberet.a
	$(Q)$(CC_native) $(LDFLAGS_native) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS_native)

# What is asked for: FUZZ=NAME one target, else all; SECONDS each.
FUZZ_WANTED = $(if $(FUZZ),$(FUZZ),$(FUZZ_NAMES))
SECONDS = 60

.PHONY: fuzz fuzz-keep fuzz-replays
fuzz-replays: $(FUZZ_REPLAYS) $(B)/native/decoder

fuzz: packages-fuzz ## hostile inputs to all that reads them: FUZZ=NAME one target, SECONDS=60 each; build/fuzz/findings
	$(SUBMAKE) $(FUZZ_WANTED:%=$(B)/fuzz/fuzz-%)
	@tests/fuzz/fuzz.sh run $(SECONDS) $(FUZZ_WANTED)

fuzz-keep: packages-fuzz ## of what was found, what reaches new code goes into tests/fuzz/corpus
	$(SUBMAKE) $(FUZZ_WANTED:%=$(B)/fuzz/fuzz-%)
	@tests/fuzz/fuzz.sh keep 0 $(FUZZ_WANTED)
