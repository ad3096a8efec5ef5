# make book: install, run the chapters on the demo cohort, build the pages. make test: install, run
# the quick tests. make test-all: every test.
# The newest supported interpreter that is found and runs. Another environment:
# make test VENV=.venv-3.11 PYTHON=python3.11
PYTHON ?= $(eval PYTHON := $(shell .ci/pythons | head -n 1))$(PYTHON)
VENV ?= .venv
PROFILE ?= demo
NAME ?= id-loocv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Compiled modules are kept: importing torch and scanpy from source takes ten times as long.
export PYTHONDONTWRITEBYTECODE :=
# Threads that wait for others must not spin: chapters run side by side.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: book test test-all golden chapter lint clean lock FORCE

book: $(READY)
	$(BIN)/compendium book --profile $(PROFILE)
	@echo "open _build/html/index.html"

# A process a core, each with one thread; the files in their order, which tests/conftest.py sets.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The quick tier: no built book, browser, cluster, real data or test that takes a minute.
test: $(READY)
	$(PYTEST) -m "not (slow or browser or cluster or real_data)" $(ARGS)

# Every test; needs chromium, and Debian's slurm-wlm and munge for the cluster. The cluster's tests
# run alone.
test-all: $(READY) _build/html/index.html
	$(PYTEST) -m "not cluster" $(ARGS)
	$(BIN)/pytest -m cluster tests/cluster

# The arrays of tests/golden whose stage or method has a raised version, and new ones; refuses where
# others moved.
golden: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/golden/renew.py

chapter: $(READY)
	$(BIN)/compendium chapter $(NAME) --profile $(PROFILE) $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The browser tests look at the built book; an older one is brought up to date first.
_build/html/index.html: FORCE $(READY)
	$(BIN)/compendium book --profile $(PROFILE)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "compendium needs Python 3.11, 3.12 or 3.13, and none is found; install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15) and 'compendium needs Python 3.11, 3.12 or 3.13, this is %d.%d; call make PYTHON=python3.12' % sys.version_info[:2])"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --all-extras --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean:
	rm -rf _build book/chapters

FORCE:
