# Everything a person or a CI types. `make` alone lists it.
#
# On a fresh Debian 12 or Raspberry Pi OS with git, make and Python 3.11 or newer, `make demo` and
# `make test` do all the set-up themselves: a virtual environment in .venv from the hashed lock in
# config/lock/, and the few system packages with apt. Both are quick when there is nothing to do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
LOCK := config/lock

# A plain user's PATH on Debian has no sbin, and that is where mosquitto lives.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
# Python keeps no user site and no bytecode of ours in a place that `make clean` does not know.
export PYTHONNOUSERSITE := 1

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set-up -----------------------------------------------------------------------------------

# $(call apt_install,PACKAGES): installs what the shell list PACKAGES names, or says what to type.
#
# Debian's mosquitto package starts a broker on port 1883 as soon as it is installed. A broker that runs
# already is left alone, but ours must not appear unasked: it could take the port of something else, and
# the demo and the tests start brokers of their own on free ports. policy-rc.d is Debian's way to say
# "start nothing during this installation"; it is put there only if there is none, and taken away again.
define APT_INSTALL
policy=/usr/sbin/policy-rc.d
if [ ! -e "$$policy" ]; then
  trap 'rm -f "$$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' > "$$policy" && chmod 755 "$$policy"
fi
apt-get -q update || echo "apt-get update did not fully succeed; trying with the lists there are" >&2
DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$$@"
endef
export APT_INSTALL

define apt_install
if [ -n "$(1)" ]; then set -- $(1); \
  echo "Not on this machine yet; installing with apt: $$*"; \
  if ! command -v apt-get >/dev/null; then \
    echo "There is no apt-get here. Install them with your system's own tool and run make again." >&2; exit 1; \
  elif [ "$$(id -u)" = 0 ]; then bash -euo pipefail -c "$$APT_INSTALL" apt-install "$$@" </dev/null; \
  elif sudo -n true 2>/dev/null; then sudo -n bash -euo pipefail -c "$$APT_INSTALL" apt-install "$$@" </dev/null; \
  else \
    echo "This user may not install packages. Type this, and run make again:" >&2; \
    echo "  sudo apt-get update && sudo apt-get install --no-install-recommends $$*" >&2; exit 1; \
  fi; \
fi
endef

# Debian keeps what `python3 -m venv` needs in a package of its own. And lgpio, the pins of a Raspberry Pi,
# has no ready wheel for Python 3.13 and newer: there pip builds it, from the source whose hash is locked.
define find_missing
missing=; \
command -v mosquitto >/dev/null || missing="$$missing mosquitto"; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
case "$$(uname -m)" in aarch64|armv7l) \
  if $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then \
    command -v swig >/dev/null || missing="$$missing swig"; \
    command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
    $(PYTHON) -c 'import os, sysconfig as s, sys; sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' \
      || missing="$$missing python3-dev"; \
  fi;; \
esac
endef

# The text coder in C. Put in place by a move: a node that runs has the old file mapped.
TEXTMODEL := daemon/steunpunt/textmodel
TEXTCODER := $(TEXTMODEL)/textcoder.so
TEXTCODER_FLAGS := -O2

.PHONY: native
native: $(TEXTCODER) ## the text coder in C, for this machine; without it Python does the same, slower

$(TEXTCODER): $(wildcard $(TEXTMODEL)/coder/*.[ch])
	@$(CC) -std=c99 -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wpedantic $(TEXTCODER_FLAGS) \
	  -o $@.new $(filter %.c,$^) && mv $@.new $@

.PHONY: install
install: system-packages compiler $(VENV)/installed ## .venv from the lock, and the system packages it needs to run
	@$(MAKE) --no-print-directory --silent native \
	  || echo "No text coder in C (see above): texts are compressed by Python, slower. \`make native\` tries again." >&2
	@$(BIN)/python -m compileall -q daemon kiosk_ui  # the services may not write here: they would compile at each start

.PHONY: install-dev
install-dev: system-packages-dev install $(VENV)/installed-dev ## the same, with all that the tests need

.PHONY: system-packages
system-packages: python
	@$(find_missing); $(call apt_install,$$missing)

# Wanted and not needed: who may not install packages goes on without.
.PHONY: compiler
compiler: system-packages
	@missing=; command -v $(CC) >/dev/null && test -e /usr/include/stdlib.h || missing="gcc libc6-dev"; \
	($(call apt_install,$$missing)) || true

.PHONY: system-packages-dev
system-packages-dev: python
	@$(find_missing); \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v chromedriver >/dev/null || missing="$$missing chromium-driver"; \
	test -x /lib/nut/dummy-ups || missing="$$missing nut-server"; \
	command -v upsc >/dev/null || missing="$$missing nut-client"; \
	PATH=$$PATH:/usr/sbin:/sbin; \
	command -v ip >/dev/null || missing="$$missing iproute2"; \
	command -v nft >/dev/null || missing="$$missing nftables"; \
	command -v dnsmasq >/dev/null || missing="$$missing dnsmasq-base"; \
	command -v strace >/dev/null || missing="$$missing strace"; \
	command -v espeak-ng >/dev/null || missing="$$missing espeak-ng"; \
	command -v lame >/dev/null || missing="$$missing lame"; \
	command -v mcopy >/dev/null || missing="$$missing mtools"; \
	command -v faketime >/dev/null || missing="$$missing faketime"; \
	$(call apt_install,$$missing)

.PHONY: system-packages-crash
system-packages-crash: system-packages-dev
	@missing=; \
	PATH=$$PATH:/usr/sbin:/sbin; \
	command -v mkfs.ext4 >/dev/null || missing="$$missing e2fsprogs"; \
	command -v setpriv >/dev/null || missing="$$missing util-linux"; \
	$(call apt_install,$$missing)

.PHONY: python
python:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Type: sudo apt-get install python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11. Name a newer one: make PYTHON=python3.12 install" >&2; exit 1; }

# The name of the environment's own place: one that was copied or moved along with the folder is made anew.
$(VENV)/made: system-packages FORCE
	@if [ "$$(cat $@ 2>/dev/null)" != "$(CURDIR)" ] || ! $(BIN)/python -c '' 2>/dev/null; then $(make_venv); fi

define make_venv
echo "Making the virtual environment $(VENV)"; \
rm -rf $(VENV); $(PYTHON) -m venv $(VENV); echo "$(CURDIR)" > $(VENV)/made
endef

# Hash mode refuses a folder as a requirement, so the project itself goes in after the lock, with the
# build tools from that same lock. PYPI=1 makes lgpio, where it is built, bring its C library along.
define pip_install
echo "Installing $(1) into $(VENV)"; \
PYPI=1 $(PIP) install --quiet --require-hashes -r $(1); \
$(PIP) install --quiet --no-deps --no-build-isolation -e .; \
touch $@
endef

# The node runs without docstrings (PYTHONOPTIMIZE=2 in its unit, 4 MiB less) and may not write beside the code: its bytecode
# is made here, or each start would compile anew. Some packages carry templates that are no valid Python; never mind them.
compile = $(VENV)/bin/python -m compileall -q -j 0 -o 0 -o 2 daemon kiosk_ui $(VENV)/lib >/dev/null || true

$(VENV)/installed: $(VENV)/made $(LOCK)/run.txt pyproject.toml
	@$(call pip_install,$(LOCK)/run.txt)
	@$(compile)

$(VENV)/installed-dev: $(VENV)/installed $(LOCK)/dev.txt
	@$(call pip_install,$(LOCK)/dev.txt)

.PHONY: FORCE
FORCE:

LOCK_COMPILE = .cache/lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --quiet --custom-compile-command "make lock" $(UPGRADE) pyproject.toml

.PHONY: lock
lock: ## writes config/lock/ anew from pyproject.toml; newer versions with UPGRADE=--upgrade
	@test -x .cache/lock/bin/uv || { $(PYTHON) -m venv .cache/lock && .cache/lock/bin/python -m pip install --quiet uv; }
	$(LOCK_COMPILE) --group build --output-file $(LOCK)/run.txt
	$(LOCK_COMPILE) --group dev --constraints $(LOCK)/run.txt --output-file $(LOCK)/dev.txt

# --- use --------------------------------------------------------------------------------------

.PHONY: demo
demo: install ## two kiosks, a coordinator, brokers and radios on this machine; CHECK=1 tests the road and stops
	@$(BIN)/steunpunt demo $(if $(CHECK),--check)

# --- checks -----------------------------------------------------------------------------------

.PHONY: check
check: $(VENV)/installed-dev ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test
test: install-dev ## everything: installs what the tests need, `make check`, and the tests in random order
	@$(MAKE) --no-print-directory check
	$(BIN)/pytest -n 3 --dist worksteal $(PYTEST_ARGS)

.PHONY: soak
soak: install-dev ## what takes long: radios that fail at random, planted bugs, 10,000 storms; see STEUNPUNT_SOAK_S, STEUNPUNT_SOAK_SEEDS; goes on where it was stopped
	$(BIN)/pytest -s -o faulthandler_timeout=0 tests/soak

.PHONY: crash
crash: system-packages-crash install-dev ## kills, power cuts (as root), broken disks, flipped bits; see docs/reliability.md, CRASH_ARGS
	$(BIN)/python -m tests.crash $(CRASH_ARGS)

FUZZ_RUNS ?= 50000
ATHERIS := .cache/atheris-3.0.0

.PHONY: fuzz
fuzz: install-dev ## hostile bytes for radio link and bridge, by atheris, which it installs into .cache, and the text coder; FUZZ_RUNS=50000
	@test -e $(ATHERIS)/installed || { \
	  $(PIP) install --quiet --target $(ATHERIS) atheris==3.0.0 && touch $(ATHERIS)/installed; } || { \
	  echo "atheris does not install on this Python; make test has the same programs by Hypothesis" >&2; exit 1; }
	PYTHONPATH=$(ATHERIS) $(BIN)/python -m tests.fuzz session $(FUZZ_RUNS)
	PYTHONPATH=$(ATHERIS) $(BIN)/python -m tests.fuzz bridge $(FUZZ_RUNS)
	$(BIN)/python -m tests.fuzz.text_walk $$(( $(FUZZ_RUNS) / 50 ))

.PHONY: bench
bench: install-dev ## the figures, as ratios within one run
	$(BIN)/python -m tests.bench

.PHONY: bench-phones
bench-phones: install-dev ## 200 phones ask for help at once, and one floods; in a network namespace of its own (unshare)
	$(BIN)/python -m tests.bench.phones

.PHONY: bench-bridge
bench-bridge: install-dev ## the bridge beside others from PyPI, which it installs into .cache; BENCH_ARGS="--rounds 5"
	$(BIN)/python -m tests.bench.bridge $(BENCH_ARGS)

MESH_ARGS ?= --only flooding --only signed --only idle

.PHONY: bench-air
bench-air: install-dev ## what a request and a region cost on the air; overload and growth too with MESH_ARGS=
	$(BIN)/python -m tests.bench.air
	$(BIN)/python -m tests.bench.mesh_sim $(MESH_ARGS)

.PHONY: bench-ui
bench-ui: install-dev ## the citizen's screens: weight, axe, targets, Lighthouse (npm brings it into .cache), pages under load
	$(BIN)/python -m tests.bench.ui $(BENCH_ARGS)

.PHONY: bench-power
bench-power: install-dev ## idle cost beside meshtastic-gateway, which it installs into .cache; energy, hours left, fleet check
	$(BIN)/python -m tests.bench.power $(BENCH_ARGS)

.PHONY: pictures
pictures: install-dev ## takes the pictures of docs/screens.md anew
	$(BIN)/python -m tests.pictures docs/pictures/pages

.PHONY: text-model
text-model: install-dev ## trains the text model anew from tests/textmodel/corpus: the same texts give the same bytes
	$(BIN)/python -m tests.textmodel

DEB_ARCH ?= arm64
DEB_MACHINE = $(if $(filter amd64,$(DEB_ARCH)),x86-64,aarch64)
# Debian names the compiler for another machine after it; for this machine's own kind the usual one does.
DEB_CC = $(if $(filter $(subst -,_,$(DEB_MACHINE)),$(shell uname -m)),$(CC),$(subst -,_,$(DEB_MACHINE))-linux-gnu-gcc)

.PHONY: system-packages-deb
system-packages-deb: system-packages
	@missing=; \
	command -v dpkg-deb >/dev/null || missing="$$missing dpkg"; \
	if [ "$(DEB_CC)" = "$(CC)" ]; then command -v $(CC) >/dev/null || missing="$$missing gcc libc6-dev"; \
	else command -v $(DEB_CC) >/dev/null || missing="$$missing gcc-$(DEB_MACHINE)-linux-gnu libc6-dev-$(DEB_ARCH)-cross"; fi; \
	$(call apt_install,$$missing)

.PHONY: deb
deb: system-packages-deb $(VENV)/installed ## a Debian package with all its wheels, in dist/; for a PC: DEB_ARCH=amd64
	@rm -rf build/deb-$(DEB_ARCH)
	@sh systemd/debian/wheels.sh $(BIN)/python $(DEB_ARCH) build/deb-$(DEB_ARCH)
	@$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir build/deb-$(DEB_ARCH) .
	@$(MAKE) --no-print-directory --silent native TEXTCODER=build/deb-$(DEB_ARCH)/textcoder.so CC="$(DEB_CC)"
	@sh systemd/debian/build.sh $(DEB_ARCH) build/deb-$(DEB_ARCH) \
	  "$$($(BIN)/python -c 'import steunpunt; print(steunpunt.__version__)')" dist

.PHONY: system-packages-deb-test
system-packages-deb-test: system-packages-dev system-packages-deb
	@PATH=$$PATH:/usr/sbin:/sbin; missing=; command -v debootstrap >/dev/null || missing=debootstrap; $(call apt_install,$$missing)

.PHONY: deb-test
deb-test: DEB_ARCH = $(shell dpkg --print-architecture)
deb-test: system-packages-deb-test install-dev ## builds the package, installs, upgrades and breaks it in a Debian 12 of its own; as root
	$(BIN)/pytest -s -o faulthandler_timeout=0 tests/soak/test_deb_soak.py

.PHONY: schema
schema: $(VENV)/installed ## the config files' JSON schemas for editors, anew from the structs
	$(BIN)/steunpunt config schema > config/site.schema.json
	$(BIN)/steunpunt config schema --for region > config/fleet/region.schema.json
	$(BIN)/steunpunt config schema --for fleet-site > config/fleet/sites/site.schema.json

.PHONY: clean
clean: ## removes all that these commands made in this folder
	rm -f $(TEXTCODER)
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find daemon kiosk_ui tests -name __pycache__ -type d -prune -exec rm -rf {} +
