# SPDX-License-Identifier: Apache-2.0
# `make prove`, for the top-level Makefile to include: what CBMC proves of the sources, each tests/prove/prove-NAME.c.

PROOFS := $(or $(PROVE),$(patsubst tests/prove/prove-%.c,%,$(sort $(wildcard tests/prove/prove-*.c))))

.PHONY: prove prove-faults build-cbmc $(PROOFS:%=proof-%) $(PROOFS:%=faults-%)

build-cbmc:
	@tests/prove/cbmc.sh

$(PROOFS:%=proof-%): proof-%: build-cbmc
	@tests/prove/prove.sh $*

$(PROOFS:%=faults-%): faults-%: build-cbmc
	@tests/prove/prove.sh --fault $*

prove: packages-build ## prove what tests/prove/ says of the sources; PROVE=NAME: one of it, TRACE=1: how a property comes not to hold
	$(SUBMAKE) $(PROOFS:%=proof-%)

prove-faults: packages-build ## do the proofs notice the faults that they name?
	$(SUBMAKE) -k $(PROOFS:%=faults-%)
