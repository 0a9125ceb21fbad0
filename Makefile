# Atlas. `make help` lists the targets; the two to know are `make run` and
# `make test`. Files are found by wildcard: adding one needs no change here.

MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
.DEFAULT_GOAL := all

# V chooses the build: release, asan (with UBSan), tsan. Each has its folder.
V ?= release
B := build/$(V)
CC := gcc
PKGS := libmicrohttpd libcurl hiredis jansson libuv liburcu-qsbr liburcu-cds \
	libxxhash libsodium gnutls

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum \
	-Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Werror
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -flto=auto -ffat-lto-objects
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
# The sanitizers bring allocators of their own.
MALLOC_release := -ljemalloc
CFLAGS := -std=c11 -D_GNU_SOURCE -DURCU_INLINE_SMALL_FUNCTIONS $(WARN) \
	$(CFLAGS_$(V)) -Iinclude -Iedge -pthread
LDFLAGS := $(CFLAGS_$(V)) -pthread
LIBS = $(shell pkg-config --libs $(PKGS)) $(MALLOC_$(V))

# Layers, lowest first. What a layer may see is in tests/lint/layers; linking
# a unit test with its layer and those below proves it a second time.
LAYERS := base http conf bus route store fetch cluster report engine front admin
BELOW_base :=
BELOW_http := base
BELOW_conf := base
BELOW_bus := base
BELOW_route := conf http base
BELOW_store := conf http base
BELOW_fetch := conf http base
BELOW_cluster := fetch bus conf http base
BELOW_report := conf http base
BELOW_engine := report cluster fetch store route bus conf http base
BELOW_front := engine $(BELOW_engine)
BELOW_admin := engine $(BELOW_engine)

SRC_layer = $(wildcard edge/$(1)/*.c)
OBJ_of = $(patsubst %.c,$(B)/%.o,$(1))
LIB_of = $(patsubst %,$(B)/lib%.a,$(1))

PROGRAMS := atlas-edge atlas-origin atlasctl

##@ Use
.PHONY: all run deps test quick lint unit fuzz scenario tour load conformance \
	conformance-peers wan sim bench soak docs format clean help programs tools

all: deps-build ## build the programs (V=release, asan or tsan) into build/V
	@$(MAKE) --no-print-directory programs

run: deps-build deps-run ## start three sites and an origin on loopback, with a tour
	@$(MAKE) --no-print-directory programs
	@conf/three-sites/demo -v $(B)

programs: $(addprefix $(B)/,$(PROGRAMS))
	@:

define layer_rule
$(B)/lib$(1).a: $(call OBJ_of,$(call SRC_layer,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@ && gcc-ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $(V) $<"
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

ALL_LIBS := $(call LIB_of,admin front engine report cluster fetch store route bus conf http base)

$(B)/atlas-edge: $(B)/edge/main.o $(ALL_LIBS)
	@echo "  LD $(V) $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/atlasctl: $(call OBJ_of,$(wildcard edge/ctl/*.c)) $(call LIB_of,conf http base)
	@echo "  LD $(V) $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/atlas-origin: $(call OBJ_of,$(wildcard origin/*.c)) $(call LIB_of,cluster fetch bus conf http base)
	@echo "  LD $(V) $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# Small programs for tests, one file each.
TOOLS := $(patsubst tests/tools/%.c,$(B)/tools/%,$(wildcard tests/tools/*.c))
$(B)/tools/%: $(B)/tests/tools/%.o $(call LIB_of,cluster http base)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
tools: $(TOOLS)

# The programs of the WAN lab, and their tests: each of its own files and what
# it shares with the others.
WAN_OBJ = $(patsubst %.c,$(B)/%.o,$(wildcard tests/wan/$(1)*.c) \
	tests/wan/history.c tests/wan/place.c)
WAN := $(addprefix $(B)/wan/,relay client injector check)
WAN_TESTS := $(addprefix $(B)/wan/test_,relay check)
define wan_rule
$(B)/wan/$(1): $(call WAN_OBJ,$(1)) $(call LIB_of,base)
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) -o $$@ $$^ $(LIBS)
$(B)/wan/test_$(1): $(B)/tests/wan/test_$(1).o \
		$(filter-out %_main.o,$(call WAN_OBJ,$(1))) $(call LIB_of,base)
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) -o $$@ $$^ $(LIBS) -lcmocka
endef
$(foreach w,relay client injector check,$(eval $(call wan_rule,$(w))))
# For LD_PRELOAD, also of programs that have no sanitizer.
$(B)/wan/skew.so: tests/wan/skew.c
	@mkdir -p $(@D)
	@echo "  CC $(V) $<"
	@$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -shared -fPIC -o $@ $<
wan-programs: $(WAN) $(WAN_TESTS) $(B)/wan/skew.so

##@ Test
test: deps-build deps-run deps-test ## everything: lint, unit, fuzz corpora, scenarios, tour, load, conformance, wan, sim
	@tests/run

quick: deps-build deps-test ## the same without what takes long (asan build only)
	@tests/run lint unit fuzz

lint unit fuzz scenario tour load: deps-build deps-run deps-test ## one part of `make test`
	@tests/run $@

wan: deps-build deps-run deps-test ## three sites under partitions, loss and kill -9, for T seconds (600)
	@$(MAKE) --no-print-directory V=release programs wan-programs
	@tests/wan/lab -v release -t $(or $(T),600)

# The simulation's own objects come first: what they define is not taken from the
# libraries (tests/sim/sim.h).
SIM_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/sim/*.c))
$(B)/sim: $(SIM_OBJ) $(call LIB_of,engine report cluster fetch store route conf http base)
	@echo "  LD $(V) $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

conformance: deps-build deps-test ## the public HTTP cache tests, also part of `make test`
	@CONFORMANCE=required tests/run $@

conformance-peers: deps-build deps-test deps-peers ## the same through nginx, Varnish, Traffic Server and Squid
	@$(MAKE) --no-print-directory V=release programs
	@tests/conformance/compare

sim: deps-build ## many nodes on a seeded clock and network: N seeds (5000) from S (1) on
	@$(MAKE) --no-print-directory V=release build/release/sim
	@build/release/sim -n $(or $(N),5000) -s $(or $(S),1)

model: deps-model ## the formal model of leases and purges, checked by Spin (minutes)
	@tests/model/run

soak: deps-build deps-run deps-test ## gigabytes, storms and churn through the release build (long)
	@$(MAKE) --no-print-directory V=release programs tools
	@tests/soak/run -v build/release

bench: deps-build deps-bench ## ratios against nginx, Varnish and a bare loop
	@$(MAKE) --no-print-directory V=release programs
	@tests/bench/run -v build/release

# TRACE=file.csv (key,size; may be compressed by gzip) instead of Zipf.
replay: deps-build ## miss ratios of the store beside LRU and FIFO, for TRACE or Zipf
	@$(MAKE) --no-print-directory V=release build/release/bench/replay
	@if [ -n "$(TRACE)" ]; then \
		gzip -cdf "$(TRACE)" | build/release/bench/replay - 1 3 10 30; \
	else \
		for skew in 0.6 0.9 1.1; do \
			echo "Zipf, skew $$skew" && \
			build/release/bench/replay --zipf $$skew 1 3 10 || exit; \
		done; \
	fi

# What is measured without a server: build/release/bench/disk_open, for one.
$(B)/bench/%: $(B)/tests/bench/%.o $(call LIB_of,store conf http base)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lm

# A unit test links its layer and those below, and so proves the layering.
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))

define unit_rule
$(B)/unit/$(1)/%: $(B)/tests/unit/$(1)/%.o $(call LIB_of,$(1) $(BELOW_$(1)))
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) -o $$@ $$^ $$(LIBS) -lcmocka -lm
endef
$(foreach l,$(LAYERS),$(eval $(call unit_rule,$(l))))

ORIGIN_OBJ = $(filter-out %/main.o,$(call OBJ_of,$(wildcard origin/*.c)))
$(B)/unit/origin/%: $(B)/tests/unit/origin/%.o $(ORIGIN_OBJ) $(call LIB_of,cluster fetch bus conf http base)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka -lm


.PRECIOUS: $(B)/%.o
unit-programs: $(UNIT)
.PHONY: replay unit-programs deps-build deps-run deps-test deps-bench deps-peers \
	deps-model

##@ Care
docs: ## regenerate the configuration's reference page and JSON Schema
	@$(MAKE) --no-print-directory V=release programs
	@build/release/atlas-edge --reference >conf/REFERENCE.md
	@build/release/atlas-edge --schema >conf/schema.json

format: ## let clang-format lay out every C file
	@find edge include origin tests -name '*.[ch]' -print0 | xargs -0 clang-format -i

clean: ## remove build/
	rm -rf build

# Debian packages, by what needs them. Each is installed only when missing.
DEPS_BUILD := gcc make pkg-config libmicrohttpd-dev libcurl4-gnutls-dev \
	libhiredis-dev libjansson-dev libuv1-dev liburcu-dev libxxhash-dev \
	libsodium-dev libjemalloc-dev libgnutls28-dev
DEPS_TEST := libcmocka-dev curl varnish jq prometheus clang-format universal-ctags \
	iproute2
# npm comes with some packages of nodejs, beside which Debian's cannot stand.
DEPS_TEST += nodejs $(if $(shell command -v npm),,npm)
DEPS_BENCH := nginx-light varnish wrk jq curl redis-server
DEPS_PEERS := nginx-light varnish trafficserver squid
DEPS_MODEL := spin gcc

# $(1): packages; $(2): anything, when their services are not wanted. Prints
# what it installs; needs root, or sudo. It removes nothing to make room, and
# what apt says goes to build/deps.log. Under -j only one apt at a time.
define install
	@have=" $$(dpkg-query -W -f '$${db:Status-Status}:$${Package} ' $(1) \
	    2>/dev/null)"; \
	missing=; for p in $(1); do \
	    [[ "$$have" == *" installed:$$p "* ]] || missing+=" $$p"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	exec 9<Makefile; flock 9; \
	echo "Installing:$$missing"; mkdir -p build; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	$(if $(2),$(start_no_services)) \
	{ $$sudo apt-get update -qq; \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	    --no-install-recommends --no-remove $$missing; } \
	    >build/deps.log 2>&1 || { tail -n 5 build/deps.log; \
	    echo "These could not be installed. As root, try:" \
	        "apt-get install$$missing"; exit 1; } \
	$(if $(2),$(enable_no_services))
endef

# Debian asks policy-rc.d before it starts a service.
define start_no_services
	policy=/usr/sbin/policy-rc.d; [ -e $$policy ] || { \
	    trap "$$sudo rm -f $$policy" EXIT; \
	    printf '#!/bin/sh\nexit 101\n' | \
	        $$sudo install -m 755 /dev/stdin $$policy; };
endef
define enable_no_services
	; [ ! -d /run/systemd/system ] || for p in $$missing; do \
	    $$sudo systemctl disable --quiet "$${p%-light}" || :; done
endef

deps: deps-build deps-run deps-test deps-bench ## install every Debian package that is missing
deps-build:
	$(call install,$(DEPS_BUILD))
# Without a Redis the demo still runs, as one node alone.
deps-run:
	$(call install,curl)
	-$(call install,redis-server)
deps-test:
	$(call install,$(DEPS_TEST))
deps-bench:
	$(call install,$(DEPS_BENCH))
deps-model:
	$(call install,$(DEPS_MODEL))
deps-peers:
	$(call install,$(DEPS_PEERS),without services)

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	    /^[a-z][a-z -]*:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

# What each object was made from: headers.
-include $(shell find $(B)/edge $(B)/origin $(B)/tests -type f -name '*.d' 2>/dev/null)
