# SPDX-License-Identifier: Apache-2.0
# `make bench`, for the top-level Makefile to include. What reads a run's samples is native, and sanitized like the unit tests, which test it.

BENCH_SOURCES := $(filter-out tests/bench/report/main.c,$(wildcard tests/bench/report/*.c))
BENCH_OBJECTS := $(BENCH_SOURCES:%.c=$(B)/native/%.o)
BENCH_TESTS := $(filter $(B)/native/tests/unit/bench/%,$(UNIT_TESTS))

$(BENCH_TESTS): $(BENCH_OBJECTS)

$(B)/native/bench-report: $(B)/native/tests/bench/report/main.o $(BENCH_OBJECTS) $(B)/native/liberet.a
	$(Q)$(CC_native) $(LDFLAGS_native) -o $@ $^ $(LIBS_native) -lm

# A bare-metal guest like those of guest-images/bare, as a flat binary.
$(B)/bare/ring.o: tests/bench/guest/ring.c guest-images/bare/build.mk
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(BARE_FLAGS) -c -o $@ $<

$(B)/bench/ring.elf: $(B)/bare/ring.o $(BARE_RUNTIME) guest-images/bare/runtime/guest.ld
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(BARE_LINK) -o $@ $(filter %.o,$^)

$(B)/bench/ring: $(B)/bench/ring.elf
	$(Q)$(CROSS)objcopy -O binary $< $@

.PHONY: bench
bench: packages-run ## eret beside QEMU and a minimal loop: build/bench/bench.json
	$(SUBMAKE) $(B)/arm64/eret $(B)/native/bench-report $(B)/bench/ring
	@tests/bench/bench.sh
