# make demo [REPO=path]   set up from nothing, run three agents in parallel on a real code base
# make test [ARGS=…]      set up from nothing, run all tests
# make check              everything but the tests: format, lint, types, imports
# make bench              the speed promises, each measured
# make crash              SIGKILL at 300 points, each resumed: what is lost, done twice, left behind
# make picture            docs/demo.svg anew, from the demo's real output
# make pins               requirements/*.txt anew, from pyproject.toml (needs uv)
# make clean              away with .venv, .demo and caches
#
# Only what BSD make and GNU make 3.81 know. PYTHON=… names another Python.

REPO =
ARGS =

all: test

# The source folders stay as they are: byte code goes where the packages are.
demo:
	@sh scripts/setup.sh run
	@PYTHONPYCACHEPREFIX="$$PWD/.venv/pycache" .venv/bin/python scripts/demo.py "$(REPO)"

test:
	@sh scripts/setup.sh dev
	.venv/bin/python -m pytest $(ARGS)

check:
	@sh scripts/setup.sh dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/basedpyright --pythonpath .venv/bin/python
	.venv/bin/lint-imports

bench:
	@sh scripts/setup.sh dev
	@for file in benchmarks/[!_]*.py; do .venv/bin/python "$$file" || exit 1; done

crash:
	@sh scripts/setup.sh dev
	.venv/bin/python -m tests.crash.harness --points 300

picture:
	@sh scripts/setup.sh run
	.venv/bin/python scripts/picture.py

pins:
	sh scripts/pins.sh

clean:
	@if [ -d .demo/bottle ]; then .venv/bin/codexd daemon stop -C .demo/bottle 2>/dev/null || true; fi
	rm -rf .venv .demo dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find daemon tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: all demo test check bench crash picture pins clean
