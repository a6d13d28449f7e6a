# The commands of a developer. `make help` lists them.

.PHONY: help venv demo demo-down unit types lock
.DEFAULT_GOAL := help

BIN := .venv/bin

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

venv: .venv/.complete ## make .venv with the pinned tools

.venv/.complete: requirements.txt requirements-dev.txt constraints.txt tools/venv
	@tools/venv

demo: venv ## two gateways in containers, a tunnel between them, and proof that it works
	@tools/demo

demo-down: ## remove what `make demo` made
	@tools/demo down

unit: venv ## unit tests of the pure core and of the adapters
	@$(BIN)/pytest -q

types: venv ## mypy, strict
	@$(BIN)/mypy plugins/module_utils

lock: venv ## write the versions that are installed now into constraints.txt
	@{ echo '# The dependencies of requirements*.txt, all pinned. Made by `make lock`, on Python 3.11.'; \
	   $(BIN)/pip freeze --disable-pip-version-check | sort -f; } > constraints.txt
