#!/bin/sh
# Makes .venv with the packages that requirements/$1.txt pins (`run`, or `dev`, which holds them
# too), and codexd itself, editable. Does nothing where that has been done.
set -eu
cd "$(dirname "$0")/.."
set_name=$1

say() { printf '%s\n' "$*" >&2; }

# What the environment is made of; it changes with the pins, and with the folder, whose path
# stands in every script of .venv.
recipe() {
    cat pyproject.toml requirements/build.txt "requirements/$1.txt" | cksum
    pwd
}

told() { # the line of `make demo`
    count=$(find .venv/lib/python3*/site-packages -maxdepth 1 -name '*.dist-info' \
        ! -name 'codexd-*' ! -name 'setuptools-*' | wc -l)
    version=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    line="Python $version, .venv, $((count)) packages pinned by hash"
    printf 'setup   %-62s %s\n' "$line" "$1"
}

if [ "$(cat ".venv/$set_name.stamp" 2>/dev/null)" = "$(recipe "$set_name")" ] &&
    .venv/bin/python -c '' 2>/dev/null; then
    if [ "$set_name" = run ]; then told "already there"; fi
    exit 0
fi

started=$(date +%s)

# The first Python that is new enough; one that can make a venv by itself before one that cannot.
fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
makes_venvs() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
python='' without_venv=''
for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if fits "$name"; then
        if makes_venvs "$name"; then
            python=$name
            break
        fi
        without_venv=${without_venv:-$name}
    fi
done

uv=''
if command -v uv >/dev/null 2>&1; then
    uv=uv
    python=${python:-$without_venv}
fi

if [ -z "$python" ] && [ -n "$without_venv" ]; then
    version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "error: $without_venv ($version) cannot make a virtual environment: its venv module is missing"
    say "help:  on Debian and Ubuntu: apt install python3-venv (or python$version-venv)"
    exit 2
fi
if [ -z "$python" ]; then
    found=$("${PYTHON:-python3}" --version 2>/dev/null || echo "no ${PYTHON:-python3}")
    say "error: Python 3.11 or newer is needed; here is $found"
    say "help:  Debian, Ubuntu: apt install python3 python3-venv · macOS: brew install python"
    say "       one that is not on PATH: make PYTHON=/path/to/python3.11 …"
    exit 2
fi

if [ -t 1 ]; then printf 'setup   making .venv, once: half a minute or so …\r'; fi

if ! fits .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
fi
mkdir -p .venv
log=.venv/setup.log

quietly() {
    if ! "$@" >"$log" 2>&1; then
        say
        tail -n 20 "$log" >&2
        say "error: this failed: $*"
        say "help:  it needs the package index once; without a network nothing can be set up"
        exit 2
    fi
}

# Nothing is written outside this folder, so the tools' caches in the home folder are left alone.
if [ -n "$uv" ]; then
    export UV_NO_CACHE=1
    [ -x .venv/bin/python ] || quietly uv venv --allow-existing --python "$python" .venv
    install() { quietly uv pip install --python .venv/bin/python "$@"; }
else
    export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
    if ! [ -x .venv/bin/python ]; then
        quietly "$python" -m venv .venv
        # Python 3.11 adds it; nothing here wants it, and it is not pinned.
        quietly .venv/bin/python -m pip uninstall --yes setuptools
    fi
    install() { quietly .venv/bin/python -m pip install "$@"; }
fi

if [ "$set_name" = dev ]; then
    install --require-hashes -r requirements/dev.txt
else
    install --require-hashes -r requirements/build.txt -r "requirements/$set_name.txt"
fi
install --no-deps --no-build-isolation -e .

recipe "$set_name" >".venv/$set_name.stamp"
if [ "$set_name" = dev ]; then recipe run >.venv/run.stamp; fi
told "$(($(date +%s) - started)) s"
