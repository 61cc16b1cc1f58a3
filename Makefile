# Everything is set up in .venv, of this checkout alone; needs Python >= 3.11, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
BENCHMARKS := match relevance trending daily_papers queries collect links latex render zones send crash

.PHONY: help demo test soak judge messages golden screenshots bench check format clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

demo: .venv/ready  ## one real morning with invented papers: collected, matched, rendered, sent over SMTP
	@$(BIN)/digest demo

test: .venv/ready-dev  ## the test suite
	@$(BIN)/pytest

soak: .venv/ready-dev  ## the long runs: every recorded day, all feeds
	@$(BIN)/pytest -m soak

judge: .venv/ready-dev  ## what others make of every template: axe-core, the Nu checker, SpamAssassin
	@$(BIN)/pytest -n 0 tests/render/test_judges.py

messages: .venv/ready-dev  ## collect the mail's own words for translation, into digest/locale
	@$(BIN)/python docs/messages.py

golden: .venv/ready-dev  ## render the golden files anew; review the diff
	@DIGEST_UPDATE_GOLDEN=1 $(BIN)/pytest -n 0 tests/render

screenshots: .venv/ready  ## the pictures of the README, anew from the demo; needs Chromium
	@rm -rf var/screenshots && $(BIN)/digest demo --dir var/screenshots --now 2026-11-20T13:00
	@cp var/screenshots/inbox/01-vision-group.html var/screenshots/digest.html
	@$(BIN)/python docs/screenshots.py var/screenshots/digest.html --out docs/images --width 640 --scheme light --height 1180
	@$(BIN)/python docs/screenshots.py var/screenshots/digest.html --out docs/images --width 360 --scheme dark --height 1180
	@$(BIN)/python docs/preview_pictures.py var/screenshots --out docs/images --now 2026-11-20T13:00

bench: .venv/ready-dev  ## the benchmarks with their figures, as JSON; needs recorded data, see benchmarks/README.md
	@echo "records: $${DIGEST_REAL_DATA:-DIGEST_REAL_DATA is not set, benchmarks/README.md says where they are sought then}"
	@failed=; for name in $(BENCHMARKS); do \
	  echo "== $$name"; $(BIN)/python benchmarks/$$name.py --json || failed="$$failed $$name"; \
	done; test -z "$$failed" || { echo "not measured:$$failed" >&2; exit 1; }

check: .venv/ready-dev  ## format, lint, types, layers, docs, workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/check.py
	$(BIN)/python docs/messages.py --check
	$(BIN)/zizmor --offline --quiet .github action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml

format: .venv/ready-dev  ## rewrite the code in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove what was built and set up
	rm -rf .venv build dist var .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
