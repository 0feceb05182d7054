# SPDX-License-Identifier: Apache-2.0
# The product with sanitizers, for tests on hosts with KVM (tests/hosts/asan.sh, tsan.sh), for the top-level Makefile to
# include:
#
#   build/arm64-asan   with AddressSanitizer, which has a leak checker, and UndefinedBehaviorSanitizer
#   build/arm64-tsan   with ThreadSanitizer
#
# Each is built as the product is, but without the functions of _FORTIFY_SOURCE, which sanitizers do not see through.
SANITIZED := arm64-asan arm64-tsan
SANITIZERS_arm64-asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
# ThreadSanitizer sees nothing in a fence. Eret has them for guests, and behind what is atomic anyway.
SANITIZERS_arm64-tsan := -fsanitize=thread -Wno-tsan
# Functions that those of tests/sanitized/ stand before.
WRAPPED_arm64-asan := sandbox_new
WRAPPED_arm64-tsan := sandbox_new g_mutex_init g_mutex_clear g_mutex_lock g_mutex_trylock g_mutex_unlock g_cond_wait g_cond_wait_until g_atomic_ref_count_dec
SANITIZED_SOURCES_arm64-asan := tests/sanitized/options.c
SANITIZED_SOURCES_arm64-tsan := tests/sanitized/options.c tests/sanitized/locks.c

# $(1): one of these builds. `faults` is eret with a device that does what the sanitizers are to find.
define sanitized_rules
CC_$(1) := $$(CC_arm64)
PKG_CONFIG_$(1) := $$(PKG_CONFIG_arm64)
CFLAGS_$(1) := $$(filter-out -D_FORTIFY_SOURCE=%,$$(CFLAGS_arm64)) -fno-omit-frame-pointer $$(SANITIZERS_$(1))
LDFLAGS_$(1) := $$(LDFLAGS_arm64) $$(SANITIZERS_$(1)) $$(WRAPPED_$(1):%=-Wl,--wrap=%)
SOURCES_$(1) := $$(SOURCES_arm64) $$(SANITIZED_SOURCES_$(1))
$$(eval $$(call product_rules,$(1)))

$$(B)/$(1)/faults: $$(B)/$(1)/tests/sanitized/faults.o $$(B)/$(1)/tests/host/scratch-stand-in.o $$(B)/$(1)/$$(MAIN:.c=.o) $$(START_OBJECTS_$(1)) $$(B)/$(1)/liberet.a
	@true$$(call say,LINK,$$@)
	$$(Q)$$(CC_$(1)) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(LIBS_$(1)_eret)
endef
$(foreach build,$(SANITIZED),$(eval $(call sanitized_rules,$(build))))

.PHONY: sanitized
sanitized: $(foreach build,$(SANITIZED),$(B)/$(build)/eret $(B)/$(build)/faults)
