# The two that matter: `make demo` and `make test`. Both set the environment up first, which needs
# only Python 3.11 or newer. Nothing is installed outside .venv.

PYTHON ?= $(firstword $(foreach name,python3 python python3.14 python3.13 python3.12 python3.11,$(shell command -v $(name) 2>/dev/null)))
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
RUN := $(BIN)/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo run test lint format types contracts tests test-slow search coverage bench faults bundle docs
.PHONY: screenshots samples starter lock clean

help:
	@echo "make demo       label the bundled sample pictures, end to end"
	@echo "make test       lint, types, import contracts and the tests"
	@echo "make run ARGS='label FOLDER'   run main.py"
	@echo "make lint       ruff, mypy and the import contracts; make format mends what ruff can"
	@echo "make test-slow  the proofs that take minutes; make faults: those that kill, fill disks and break files"
	@echo "make search     the property tests on examples drawn anew"
	@echo "make bench      the measurements of docs/results.md; make coverage: what the tests never run"
	@echo "make bundle     the program for people without a Python, in dist/maskwright, and its tests"
	@echo "make docs       the pages and pictures of docs that are made from the sources"
	@echo "make screenshots  the pictures of the window in docs/screenshots, taken of the real program"
	@echo "make samples    render the sample pictures; make starter: train the demo's model on them"
	@echo "make lock       resolve pyproject.toml into resources/packaging/requirements.lock"
	@echo "make clean      remove .venv and the caches"

setup:
ifeq ($(PYTHON),)
	@echo "error: no Python was found; install 3.11 or newer, such as: sudo apt-get install python3 python3-venv" >&2; exit 1
else
	@$(PYTHON) resources/packaging/setup_env.py
endif

demo: setup
	@$(RUN) main.py demo $(ARGS)

run: setup
	@$(RUN) main.py $(ARGS)

test: lint tests

lint: setup
	@echo "== format and lint (ruff)"
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@echo "== types (mypy --strict)"
	@$(RUN) -m mypy
	@echo "== import contracts (import-linter)"
	@$(BIN)/lint-imports

# A worker a core: the tests do not know of each other. WORKERS=0 runs them in one process.
WORKERS ?= auto
tests: setup
	@echo "== tests (pytest)"
	@$(RUN) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

format: setup
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

test-slow: setup
	@$(RUN) -m pytest -m slow $(ARGS)

search: setup
	@$(RUN) -m pytest --hypothesis-profile=search -k "$$(grep -rl '^@given' tests | xargs -n1 basename -s .py | paste -sd'|' | sed 's/|/ or /g')" $(ARGS)

faults: setup
	@$(RUN) -m pytest -m "slow or not slow" -s tests/faults tests/engine/project/test_faults.py \
		tests/engine/project/test_kill.py tests/engine/project/test_opening.py tests/engine/formats/test_fuzz.py \
		tests/engine/tuning/test_faults.py tests/engine/models/test_weights.py tests/engine/models/test_version.py \
		tests/gui/test_desk.py tests/test_rules.py $(ARGS)

# Fails where a module is run by no test at all.
coverage: setup
	@$(RUN) -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered --cov-report=json:out/coverage.json $(ARGS)
	@$(RUN) -m tests.untested out/coverage.json

# About five minutes and 10 GB of disk.
bundle: setup
	@$(RUN) resources/packaging/bundle.py
	@$(RUN) -m pytest -m slow -s tests/bundle $(ARGS)

docs: setup
	@$(RUN) -m tests.architecture_picture
	@$(RUN) -m tests.doc_pages
	@$(RUN) -m tests.explain_pictures

bench: setup
	@$(RUN) -m pytest -m bench -s $(ARGS)

screenshots: setup
	@$(RUN) -m tests.screenshots

# The picture files are committed; these two make them and the demo's model anew.
samples: setup
	@$(RUN) -m engine.synth.samples

# Three trainings: whole pictures at a short side of 256 from fresh weights; windows of 288 at 384, where holes
# and thin shafts are wide enough to be seen; windows at 512 of pictures whose grounds can be anything.
# docs/results.md says how the bundled one was made.
STARTER = out/starter/models
starter: setup
	@$(RUN) -m engine.synth --out out/starter/train --count 1500 --seed 0 --split train --sizes 320x240,400x300,512x384
	@$(RUN) -m engine.synth --out out/starter/wide --count 4500 --seed 0 --split wide --sizes 512x384,448x336,512x384
	@$(RUN) -m engine.synth --out out/starter/test --count 200 --seed 100000 --split test --sizes 512x384
	@MASKWRIGHT_MODELS=$(STARTER) $(RUN) main.py train out/starter/train/truth.json \
		--base maskrcnn_resnet18_slim_fpn --name starter-256 --side 256 --seed 0 --iterations 1153 \
		--recipe prompt_share=0
	@MASKWRIGHT_MODELS=$(STARTER) $(RUN) main.py train out/starter/train/truth.json \
		--base $(STARTER)/starter-256.safetensors --name starter-384 --side 384 --seed 1 --iterations 3000 \
		--recipe window=288 --recipe batch=4 --recipe learning_rate=6e-4 --recipe body_rate=1 --recipe warmup=50 \
		--recipe frozen_stages=0 --recipe mask_rois=32 --recipe near_truth=4 --recipe scale_spread=0.2 --recipe paste=0 \
		--recipe prompt_share=0
	@MASKWRIGHT_MODELS=$(STARTER) $(RUN) main.py train out/starter/wide/truth.json \
		--base $(STARTER)/starter-384.safetensors --name starter-512 --side 512 --seed 2 --minutes 90 \
		$(foreach change,$(WIDE_RECIPE),--recipe $(change))
	@MASKWRIGHT_MODELS=$(STARTER) $(RUN) main.py train out/starter/wide/truth.json \
		--base $(STARTER)/starter-512.safetensors --name starter --side 512 --seed 3 --minutes 20 \
		--recipe prompt_share=1 --recipe window=288 --recipe prompt_batch=8 --recipe prompt_rois=24 --val out/starter/test/truth.json
	@MASKWRIGHT_MODELS=$(STARTER) $(RUN) main.py models export starter --out resources/models --compact
WIDE_RECIPE = window=288 batch=4 learning_rate=5e-4 body_rate=1 warmup=50 frozen_stages=0 rois=96 positive_share=0.33 \
	mask_rois=24 near_truth=4 proposals_before_nms=400 proposals=150 scale_spread=0.2 paste=0 colour=0.3 prompt_share=0

lock: setup
	@$(RUN) -m uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet -o resources/packaging/requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
