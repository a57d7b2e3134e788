"""Programs that a test needs: skipped by name where they are absent, a failure in CI."""

import os
import shutil
from typing import NoReturn

import pytest


def needs(program: str) -> str:
    """The path of `program`. Without it the test is skipped; with `CI=true` it fails."""
    found = shutil.which(program)
    if found is None:
        missing(f"`{program}`, which is not on PATH")
    return found


def missing(what: str) -> NoReturn:
    """Skip the test, saying what it needs; with `CI=true` fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")
