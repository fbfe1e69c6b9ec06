# make demo: set up, train a small LSTM on sine waves, record it, show its attractors.   make test: everything that CI checks.
# PYTHON: the Pythons that are tried for .venv, in order.   TORCH_INDEX: a package index that has CPU builds of PyTorch.
PYTHON ?= python3.13 python3.12 python3.11 python3.14 python3
TORCH_INDEX ?=
VENV := .venv
CONSTRAINTS := constraints.txt
EXTRAS := dev
BIN = $(VENV)/bin

SUITS := import ensurepip, sys; assert (3, 11) <= sys.version_info < (3, 15)
CHOSEN = $(or $(shell for python in $(PYTHON); do "$$python" -c '$(SUITS)' 2>/dev/null && echo "$$python" && break; done),\
$(error no Python 3.11 to 3.14 with venv (python3-venv on Debian and Ubuntu) among: $(PYTHON). Name one: make PYTHON=/path/to/python))
INDEXES = $(strip --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url '$(TORCH_INDEX)'))
INSTALL = $(BIN)/pip install --quiet $(INDEXES) -c $(CONSTRAINTS)
TORCH = $(shell sed -n 's/^torch==//p' $(CONSTRAINTS))

.PHONY: setup demo test lint tests test-oldest test-peers seeds bench python clean
setup: $(VENV)/installed
demo: $(VENV)/installed
	@$(BIN)/rnnscope demo
test: lint tests
lint: $(VENV)/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright
tests: $(VENV)/installed-dev
	@$(BIN)/pytest -n 2
test-oldest:
	@$(MAKE) --no-print-directory tests VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt EXTRAS=test PYTHON='python3.11 python3.12'
test-peers: .venv-peers/installed
	@OMP_NUM_THREADS=1 PYTHONPATH="$(CURDIR)/.venv-peers" RNNSCOPE_PEERS=1 $(BIN)/pytest -n 2 tests/peers tests/test_networks_page.py
seeds: $(VENV)/installed
	@$(BIN)/python -m benchmarks.seeds
bench: $(VENV)/installed
	@$(BIN)/python -m benchmarks
python:
	@echo $(CHOSEN)
clean:
	rm -rf .venv .venv-peers .venv-oldest runs

$(VENV)/bin/python:
	@$(CHOSEN) -m venv $(VENV)
$(VENV)/installed: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	@echo "installing rnnscope into $(VENV) (pinned by $(CONSTRAINTS))"
	@# pip prefers 2.13.0+cpu to 2.13.0 where one of its indexes has it
	@case "$$(uname) $$($(BIN)/pip index versions torch $(INDEXES) 2>/dev/null)" in Linux*$(TORCH)+cpu*) ;; Linux*) \
	echo "torch $(TORCH): no index of pip has the CPU build (0.2 GB), so it takes the CUDA build (3 GB); to name one: make TORCH_INDEX=ADDRESS";; \
	esac
	@$(INSTALL) -e '.[parallel]'
	@touch $@
$(VENV)/installed-dev: $(VENV)/installed
	@echo "installing the development tools into $(VENV)"
	@$(INSTALL) -e '.[$(EXTRAS)]'
	@touch $@
.venv-peers/installed: $(VENV)/installed-dev constraints-peers.txt
	@echo "installing packages of recurrent cells beside $(VENV), whose torch they use"
	@rm -rf .venv-peers
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target .venv-peers -r constraints-peers.txt
	@touch $@
