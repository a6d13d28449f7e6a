# The commands of a developer. `make help` lists them.

.PHONY: help demo demo-down test rotating test-deep unit netns bench browser types lint sanity sanity-one galaxy first-hour live live-smoke scorecard soak thousand thousand-info kernel-test molecule molecule-smoke image venv format lock clean
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/.venv/bin:$(PATH)

# One scenario and one step:  make molecule SCENARIO=default STEP=converge
STEP ?= test
SCENARIO ?=
# The tests whose names match:         make live TEST=no_lies SEQUENCES=10000
TEST ?=
# The seed of every random choice, different for each commit: SEED=7 repeats a run.
ifndef SEED
SEED := $(shell tools/seed)
endif
export SEED
# A part of the deep suites:           make live PART=2/6
PART ?=

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

demo: venv ## two gateways and their tunnel, from nothing, with proof
	@tools/demo

demo-down: ## remove what `make demo` has started
	@tools/demo down

test: venv ## tests of a commit, in nine minutes on two cores: each suite, a few cases of the deep suites (root)
	@echo "the tests are drawn from SEED=$(SEED)"
	@tools/stages molecule-smoke galaxy types lint / unit netns live-smoke sanity-one browser bench

rotating: venv image ## the sixth of the deep suites that SEED selects, in half an hour; part of .ci/run (root)
	@echo "the tests are drawn from SEED=$(SEED): PART=$$(tools/rotation part) of $$(tools/rotation)"
	@SEQUENCES=$(or $(SEQUENCES),20) PAIRS=$(or $(PAIRS),10) ALGORITHMS=all PART=$$(tools/rotation part) \
	    tools/stages $$(tools/rotation)

test-deep: venv image ## all tests, for hours; continues after an interruption (root)
	@tools/deep $(DEEP)

unit: venv ## unit tests: no host, no root
	@pytest -q $(if $(TEST),-k $(TEST),--numprocesses=auto --dist=worksteal) --hypothesis-seed=$(SEED)

netns: venv ## rules and packets in network namespaces of this machine (root)
	@# These tests mostly wait for packets that must not arrive.
	@pytest -q $(if $(TEST),-k $(TEST),--numprocesses=8 --dist=worksteal) tests/netns

netns-%: venv ## the same with nft and ip of a release: make netns-debian14 (root)
	@said=$$(tools/testbed programs $*) || exit 1; echo "$$said"; folder=$$(echo "$$said" | tail -n 1); \
	    case $$folder in */programs-*) PATH="$$folder:$$PATH"; pytest -q --numprocesses=8 --dist=worksteal tests/netns;; esac

live: venv image ## hundreds of runs of the modules on gateways with tunnels to peers (root)
	@pytest -q --durations=12 tests/live $(if $(TEST),-k $(TEST))

live-smoke: venv image ## a few random sequences, kills, pairs and failures of the live tests (root)
	@FEW=$(or $(FEW),3) SEQUENCES=$(or $(SEQUENCES),6) PAIRS=$(or $(PAIRS),4) KILL=$(or $(KILL),0.04) \
	    pytest -q tests/live -m drawn

scorecard: venv image ## provoke every failure that the modules explain, and write docs/troubleshooting.md (root)
	@SCORECARD=1 pytest -q tests/live/test_explained.py
	@python tools/troubleshooting_docs.py

soak: venv image ## 500 random changes beside tunnels under traffic: 20 minutes; CHANGES=... SEED=... (root)
	@CHANGES=$(or $(CHANGES),500) BASELINE=60 pytest -q tests/live/test_zero_loss.py

thousand: venv image ## time, memory and packets a second with up to 5,000 tunnels, and docs/performance.md: half an hour (root)
	@$(MAKE) --no-print-directory thousand-info
	@pytest -q tests/live/measure_gateway.py
	@pytest -q tests/netns/measure_packets.py
	@python tools/performance_docs.py

thousand-info: venv image ## the time of ipsec_info with a thousand tunnels: two minutes (root)
	@pytest -q tests/live/measure_thousand.py

browser: venv ## the status page in headless Chromium; pictures in .cache/status (root, to install it)
	@command -v chromium >/dev/null || { apt-get update -qq || true; \
	    apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends chromium; }
	@pytest -q tests/browser

bench: venv ## the promised speed, in ratios that hold on any machine
	@pytest -q -s tests/bench

kernel-test: venv ## every option, algorithm and peer, in virtual machines; FIELDS=all ALGORITHMS=all INTEROP=all (root)
	@pytest -q --durations=12 tests/kernel $(if $(TEST),-k $(TEST))
	@$(if $(TEST)$(PART),,tools/scenario kernel)

types: venv ## mypy, strict
	@mypy plugins/module_utils plugins/plugin_utils plugins/filter plugins/lookup
	@MYPYPATH=tools mypy --python-version 3.11 --scripts-are-modules \
	    tools/testbed tools/kernel-testbed tools/demo tools/stages tools/prose \
	    tools/seed tools/rotation tools/deep

lint: venv ## Python, YAML, playbooks, changelog, module documentation and prose
	@ruff check --quiet --output-format concise
	@ruff format --check --quiet
	@tools/prose
	@yamllint --strict .
	@ansible-lint -q
	@antsibull-changelog lint
	@copy=$$(tools/collection-copy lint) && cd "$$copy" && antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=dependent .

sanity: venv ## ansible-test sanity, for each Python of the targets that is installed
	@tools/sanity

sanity-one: venv ## ansible-test sanity, for the newest Python only
	@NEWEST=1 tools/sanity

core-%: ## sanity and scenario default (short) with another ansible-core of tools/core, such as core-2.20 (root)
	@tools/with-core $* sanity-one molecule-smoke

galaxy: venv ## build the collection and check it as Galaxy does on upload
	@tools/galaxy-check

first-hour: venv image ## the commands of "The first hour" in README, for two bare containers (root)
	@tools/first-hour

molecule: venv image ## Molecule without scenario kernel; one step of one scenario: SCENARIO=default STEP=converge
	@STEP=$(STEP) tools/scenario $(SCENARIO)

molecule-smoke: venv image ## scenario default without its longest tests (root)
	@SHORT=1 tools/scenario default

molecule-%: venv image
	@tools/scenario $*

image: ## build the images of the test hosts that are missing or out of date
	@tools/testbed image

venv: .venv/.complete ## make .venv with the pinned tools

.venv/.complete: requirements.txt requirements-dev.txt constraints.txt
	@tools/venv

format: venv ## format the Python code
	@ruff check --quiet --fix; ruff format --quiet

lock: venv ## pin the packages of requirements*.txt with the hashes of all files; LOCK=--upgrade for newer releases
	@tools/lock $(LOCK)

clean: demo-down ## remove images, caches and .venv
	@tools/testbed down live
	@tools/testbed clean
	@rm -rf .venv .cache
