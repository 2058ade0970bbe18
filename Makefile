# Aforo. `make` lists the verbs.
#
# Needed on the machine: Python 3.11 or newer with pip and venv, make, git. Everything else is put below .venv and
# .tools, from the versions and hashes in uv.lock; nothing outside this folder is changed.

PYTHON ?= python3
UV_VERSION := 0.13.9
DATA ?= .aforo

# uv links packages out of its cache, which only works within one file system; elsewhere it copies.
ifndef UV_LINK_MODE
UV_CACHE := $(or $(UV_CACHE_DIR),$(XDG_CACHE_HOME),$(HOME))
export UV_LINK_MODE := $(shell [ "$$(df -P . | awk 'END {print $$1}')" = "$$(df -P '$(UV_CACHE)' 2>/dev/null | awk 'END {print $$1}')" ] && echo hardlink || echo copy)
endif
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS ?= 1

UV := .tools/uv/bin/uv
# Compiled at once: where Python may not write what it compiled, each start would compile every library anew.
SYNC := $(UV) sync --frozen --quiet --compile-bytecode --extra local --extra liquid --extra export --extra geo --extra useragents --extra geoip --extra valkey --extra workers --extra xsd
PY := .venv/bin/python
# Side by side; those that start processes want the machine for themselves.
FAST := $(PY) -m pytest -q -n auto --maxprocesses 4 -m "not slow"
LOCKED := pyproject.toml uv.lock Makefile

.DEFAULT_GOAL := help
.PHONY: help run test check fmt golden bench soak docs portal build clean lock .lint

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.for-run ## make the environment, start the whole system, say what to try
	@$(PY) -m compileall -q src
	@.venv/bin/aforo up --data "$(DATA)" $(ARGS)

test: .venv/.for-test .tools/.openai-0.28 .tools/.npm .tools/.storage .tools/.neighbours ## format, lint, types, floors, the whole suite
	@$(MAKE) --no-print-directory .lint
	@$(if $(ARGS),$(PY) -m pytest $(ARGS),$(FAST) && $(PY) -m pytest -m slow)

check: .venv/.for-test ## format, lint, types, floors, fast tests
	@$(MAKE) --no-print-directory .lint
	@$(FAST)

.lint:
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --no-error-summary
	@floors=$$(.venv/bin/lint-imports 2>&1) || { echo "$$floors"; exit 1; }

fmt: .venv/.for-test ## write the house format, repair what can be repaired
	@$(PY) -m ruff check --quiet --fix . || true
	@$(PY) -m ruff format .

golden: .venv/.for-test ## write the expected parts of tests/golden anew; read the difference before you commit it
	@AFORO_GOLDEN=write $(PY) -m pytest -q tests/golden || true
	@git diff --stat -- tests/golden

bench: .venv/.for-bench .tools/.neighbours ## measure against nginx and Envoy, write bench/RESULTS.md
	@$(PY) -m bench.run $(ARGS)

soak: .venv/.for-test ## load the system for minutes (ARGS="--hours 8"), say whether anything grows, draw it
	@$(PY) -m bench.soak $(ARGS)

docs: .venv/.for-test ## write docs/reference from the declarations
	@$(PY) docs/generate.py

portal: ## build the portal (not part of this version)
	@echo "The portal is not part of this version: the REST APIs and the aforo command are." >&2; exit 1

build: $(UV) ## make the wheel and the source archive in dist/
	@$(UV) build --quiet --out-dir dist && ls -l dist

clean: ## remove everything that was made here, but not the data of a system
	rm -rf .venv .tools dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +

lock: $(UV) ## resolve the dependencies anew: uv.lock, and the locks of what has an environment of its own
	$(UV) lock --upgrade
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-emit-index-url -o tests/e2e/openai-0.28.txt tests/e2e/openai-0.28.in
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-emit-index-url -o tests/conformance/moto.txt tests/conformance/moto.in

# -- how the environment is made -------------------------------------------------------------------------------

.tools/uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Aforo needs Python 3.11 or newer; '$(PYTHON)' is older or absent. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "making the environment (once; a few minutes with a slow line)"
	@mkdir -p .tools && rm -rf .tools/uv && $(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/bin/python: | $(UV)
	@$(PYTHON) -m venv --without-pip .venv

# A sync for tests contains everything that one for a run does, so that going to and fro installs nothing twice.
.venv/.for-run: $(LOCKED) | $(UV) .venv/bin/python
	@$(SYNC) --inexact --no-default-groups
	@touch $@

.venv/.for-test: $(LOCKED) | $(UV) .venv/bin/python
	@$(SYNC) --inexact --group lint --group test --group clients
	@touch $@ .venv/.for-run

.venv/.for-bench: $(LOCKED) | $(UV) .venv/bin/python
	@$(SYNC) --inexact --group bench --group clients
	@touch $@

# The client of the year 2023 cannot live beside today's: it has a small environment of its own.
.tools/.openai-0.28: tests/e2e/openai-0.28.txt | $(UV)
	@rm -rf .tools/openai-0.28 && $(PYTHON) -m venv --without-pip .tools/openai-0.28
	@$(UV) pip install --quiet --python .tools/openai-0.28/bin/python --require-hashes -r $<
	@touch $@

# Azure's clients for Node, where npm is; the tests that need them skip elsewhere.
.tools/.npm: tests/e2e/npm/package-lock.json
	@mkdir -p .tools/npm && cp tests/e2e/npm/package.json $< .tools/npm/
	@if command -v npm >/dev/null; then cd .tools/npm && npm ci --ignore-scripts --no-audit --no-fund --silent || \
		echo "npm could not install the clients for Node; their tests are skipped" >&2; fi
	@touch $@

# Servers that speak S3 and Azure's blobs, for tests of what is delivered there; without them those tests are skipped.
STORAGE := tests/conformance/moto.txt tests/conformance/azurite/package-lock.json
.tools/.storage: $(STORAGE) | $(UV)
	@rm -rf .tools/moto && $(PYTHON) -m venv --without-pip .tools/moto
	@$(UV) pip install --quiet --python .tools/moto/bin/python --require-hashes -r $< || \
		echo "the server that speaks S3 could not be installed; its tests are skipped" >&2
	@mkdir -p .tools/azurite && cp tests/conformance/azurite/package*.json .tools/azurite/
	@if command -v npm >/dev/null; then cd .tools/azurite && npm ci --ignore-scripts --no-audit --no-fund --silent || \
		echo "npm could not install the server that speaks Azure's blobs; its tests are skipped" >&2; fi
	@touch $@

# nginx and wrk, without touching the machine: what is not installed is unpacked below .tools, where it can be.
.tools/.neighbours: tests/support/neighbours.sh
	@mkdir -p .tools && sh $< .tools/debian && touch $@
