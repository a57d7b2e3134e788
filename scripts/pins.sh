#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml: newest versions, every wheel's hash, for
# every Python and platform that we support. Needs uv.
set -eu
cd "$(dirname "$0")/.."

pins() { # FILE ARGUMENT...
    file=$1
    shift
    {
        echo "# Pins of pyproject.toml, made by \`make pins\`: do not edit."
        uv pip compile --no-config --quiet --universal --python-version 3.11 \
            --generate-hashes --no-header --no-annotate "$@"
    } >"$file.new"
    mv "$file.new" "$file"
}

pins requirements/build.txt --group build
pins requirements/run.txt pyproject.toml -c requirements/build.txt
pins requirements/dev.txt pyproject.toml --group build --group dev \
    -c requirements/build.txt -c requirements/run.txt
