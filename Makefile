# Each target installs what it needs into .venv first, and is quick when nothing changed.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
NEWTS ?= $(error Name the folder of the newt photos: make checkpoints NEWTS=DIR)

.PHONY: demo test test-slow check checkpoints examples bench clean

demo: $(VENV)/runtime
	$(RUN) app.py

test: $(VENV)/dev
	$(RUN) -m pytest -n 2 --dist loadgroup

test-slow: $(VENV)/dev
	$(RUN) -m pytest -n 2 --dist loadgroup -m slow

check: $(VENV)/dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	find seg_demo -name '*.pyi' -delete  # Gradio writes them beside its components, and they hide the source
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/dev
	$(RUN) -m benchmarks.start_up
	$(RUN) -m benchmarks.upload

# The bundled newts, made again from the photos under $(NEWTS) and drawn pictures: larger and longer than the presets.
LONGER := --steps 6000 --data.preprocessing.size 224 --data.crop 160 --data.drawn_pictures 1000 --average 0.998 \
  --model.arguments '{"width": 16, "depth": 5, "stem": 2}'
checkpoints: $(VENV)/runtime
	for preset in newts-binary newts-species; do \
	  $(RUN) -m seg_demo train --preset $$preset --data $(NEWTS) --split trainval $(LONGER) --run runs/$$preset --resume --out checkpoints/$$preset && \
	  $(RUN) -m seg_demo eval checkpoints/$$preset --data $(NEWTS) --split test --record && \
	  $(RUN) -m seg_demo eval checkpoints/$$preset --drawn 40 --record && \
	  $(RUN) -m seg_demo eval checkpoints/$$preset --examples --record || exit 1; \
	done

# The example pictures of the page and the small example data set.
examples: $(VENV)/runtime
	$(RUN) -m seg_demo draw --examples --out examples
	rm -rf examples/newts
	$(RUN) -m seg_demo draw --count 12 --longest 320 --out examples/newts

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

$(VENV)/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, this is %d.%d. Name one: make PYTHON=python3.12" % sys.version_info[:2])'
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --requirement requirements.txt
	@touch $@

$(VENV)/dev: $(VENV)/runtime pyproject.toml
	$(RUN) -m pip install --quiet --editable '.[dev]'
	@touch $@
