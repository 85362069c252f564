# The developer's interface to digitd. `make` alone lists what there is.

PYTHON ?= python3
VENV ?= .venv
RECIPE ?= configs/recipes/digits.toml
CHECKPOINT ?= runs/digits/best.pt
OUT ?= edge/models/digits.onnx
# The parts of the row model's training: each begins where the one before it ends.
ROWS := rows rows-further rows-uncommon rows-edges rows-cameras rows-hands rows-deeper rows-longer rows-counters \
	rows-noughts
# Parts that each begin where the last of those ends; the shipped weights are the mean of all three.
APART := rows-exact rows-mnist

# Folder with mnist/ and the other data; without it DIGITD_DATA, else MNIST is downloaded where a command needs it.
DATA_DIR ?=
# A model file other than the shipped one, for demo, docs and pictures.
MODEL ?=
# Anything here has bench-accuracy measure other packages too, where they are installed.
PEERS ?=
# Where torch alone is taken from; empty for PyPI.
TORCH_INDEX ?=

BIN := $(VENV)/bin
DATA = $(if $(DATA_DIR),--data-dir "$(DATA_DIR)")
WITH_MODEL = $(if $(MODEL),--model "$(MODEL)")
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test format train export train-rows export-rows evaluate calibrate fonts bench-accuracy bench-speed bench-live bench-engine bench-gpu bench-shaky bench-finetune bench-fewshot reproduce samples docs pictures clean distclean

help: ## List what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "Variables: PYTHON=$(PYTHON)  DATA_DIR=folder  MODEL=file.onnx  RECIPE=$(RECIPE)"

demo: $(VENV)/.runtime ## Read the bundled pictures and film, and draw on them what was read (demo/)
	@$(BIN)/digitd read edge/samples --annotate demo $(WITH_MODEL)
	@echo
	@echo "Each picture, with what was read drawn on it, is in demo/."

test: $(VENV)/.dev ## Check style and types, and run all tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict edge
	$(BIN)/python -m pytest -n 2 --dist loadgroup

format: $(VENV)/.dev ## Mend the style of the code where that can be done by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

train: $(VENV)/.dev ## Train the model of RECIPE (runs/); takes hours on a CPU
	$(BIN)/digitd train --recipe "$(RECIPE)" $(DATA)

export: $(VENV)/.dev ## Write CHECKPOINT as the shipped model file, with its card (edge/models/)
	$(BIN)/digitd export "$(CHECKPOINT)" --out "$(OUT)" $(DATA)

# What trains `part` from the weights of `start`, gone on with where it stopped.
TRAIN_PART = test -f runs/$$part/done || { \
	$(BIN)/digitd train --recipe $$part $${start:+--start runs/$$start/best.pt} $(DATA) \
	$$(test -f runs/$$part/state.pt && echo --resume) && touch runs/$$part/done; }

train-rows: fonts ## Train the model of whole rows, part by part (runs/), gone on with where it stopped; many hours
	@start=; for part in $(ROWS); do $(TRAIN_PART) || exit; start=$$part; done; \
		for part in $(APART); do $(TRAIN_PART) || exit; done
	$(BIN)/python -m training.mean runs/$(lastword $(ROWS))/best.pt=0.6 $(APART:%=runs/%/best.pt=0.2) \
		--out runs/rows-mean/best.pt

export-rows: $(VENV)/.dev ## Write their mean as the shipped row models, with their cards (edge/models/)
	$(BIN)/digitd export runs/rows-mean/best.pt --precision packed,int8 --out runs/rows.onnx $(DATA)
	for end in onnx md; do \
		mv runs/rows.packed.$$end edge/models/rows.$$end && mv runs/rows.int8.$$end edge/models/rows-int8.$$end || exit; \
	done

evaluate: $(VENV)/.dev ## Accuracy of the shipped model on MNIST's test set
	$(BIN)/digitd evaluate $(if $(MODEL),"$(MODEL)") $(DATA)

calibrate: $(VENV)/.dev ## Fit how sure a row is, after a change of a model: prints what to put into edge/
	$(BIN)/python -m training.confidence --longest --count 320 $(DATA)

fonts: $(VENV)/.dev ## Fetch the free fonts that row models learn from, by npm (runs/fonts/)
	$(BIN)/python -m training.fetch_fonts runs/fonts

bench-accuracy: $(VENV)/.dev ## Share of number strings read exactly, kind by kind (benchmarks/accuracy.json)
	$(BIN)/python -m benchmarks.accuracy $(DATA) $(WITH_MODEL) $(if $(PEERS),--peers) \
		--json benchmarks/accuracy.json --plot docs/images/accuracy.png --failures runs/accuracy-failures

bench-speed: $(VENV)/.dev ## Speed beside what is unavoidable and beside others, and how cost grows (benchmarks/speed.json)
	$(BIN)/python -m benchmarks.speed $(DATA) $(WITH_MODEL) --json benchmarks/speed.json
	$(BIN)/python -m benchmarks.growth --json benchmarks/speed.json
	$(BIN)/python -m benchmarks.speed_chart

bench-live: $(VENV)/.dev ## What live reading costs: latency, idle load, READY, memory (benchmarks/live.json)
	$(BIN)/python -m benchmarks.live --json benchmarks/live.json

bench-engine: $(VENV)/.dev ## What ONNX Runtime's settings for a CPU are worth (docs/providers.md)
	$(BIN)/python -m benchmarks.engine

bench-gpu: $(VENV)/.dev ## Digits and frames a second on a GPU beside the CPU, where there is one (benchmarks/gpu.json)
	$(BIN)/python -m benchmarks.gpu --json benchmarks/gpu.json

bench-shaky: $(VENV)/.dev ## Rows right in shaky videos: by single frames, by votes, by all frames (benchmarks/shaky.json)
	$(BIN)/python -m benchmarks.shaky $(DATA) --count 160 --json benchmarks/shaky.json

bench-finetune: $(VENV)/.dev ## What fine-tuning is worth on strange hands (benchmarks/finetune.json)
	$(BIN)/python -m benchmarks.finetune $(DATA) --json benchmarks/finetune.json

bench-fewshot: $(VENV)/.dev ## What five examples are worth to a prototypical network (benchmarks/fewshot.json)
	$(BIN)/python -m benchmarks.fewshot --base runs/fewshot/best.pt $(DATA) --json benchmarks/fewshot.json

reproduce: $(VENV)/.dev ## Train every recipe of single digits by three seeds, and compare them (docs/recipes.md); hours
	$(BIN)/python -m benchmarks.recipes $(DATA)

samples: $(VENV)/.dev ## Draw the bundled samples anew (edge/samples/)
	$(BIN)/python -m training.synth.samples

docs: $(VENV)/.dev ## Bring docs/cli.md, and outputs, figures and the chart in the texts, up to date
	$(BIN)/python docs/generate.py $(WITH_MODEL)
	$(BIN)/python docs/config_reference.py
	$(BIN)/python -m benchmarks.chart
	$(BIN)/python -m benchmarks.speed_chart

pictures: $(VENV)/.runtime ## Draw the texts' pictures anew (docs/images/)
	$(BIN)/digitd read edge/samples/eight-digits.png edge/samples/photo.jpg --annotate docs/images $(WITH_MODEL)

clean: ## Delete what make wrote, except .venv and runs/
	rm -rf build demo dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## Delete .venv too
	rm -rf "$(VENV)"

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "digitd: no $(PYTHON) here; install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "digitd: $$("$(PYTHON)" -V) is too old; name 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "digitd: $(PYTHON) comes without venv; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv "$(VENV)"

$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing digitd into $(VENV) ..."
	@$(PIP_INSTALL) -c constraints.txt -e .
	@$(BIN)/python -c 'import cv2' || { \
		echo "digitd: OpenCV does not load; on Debian and Ubuntu: sudo apt install libgl1 libglib2.0-0" >&2; exit 1; }
	@touch $@

# After .runtime, not beside it: two pips in one folder would hurt each other under `make -j`.
$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.runtime
	@echo "Installing what training and tests need into $(VENV) ..."
	@if [ -n "$(TORCH_INDEX)" ]; then \
		$(PIP_INSTALL) -c constraints.txt --no-deps --index-url "$(TORCH_INDEX)" torch; \
	elif [ "$$(uname -sm)" = "Linux x86_64" ] && ! $(BIN)/python -c 'import torch' 2>/dev/null; then \
		echo "PyPI's torch for this machine may bring gigabytes of CUDA; to do without, stop here and run"; \
		echo "  make $(MAKECMDGOALS) TORCH_INDEX=https://download.pytorch.org/whl/cpu"; \
	fi
	@$(PIP_INSTALL) -c constraints.txt -e '.[dev]'
	@touch $@
