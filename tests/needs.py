"""Programs that a test needs: skipped by name where they are absent, a failure in CI."""

import os
import shutil

import pytest


def needs(program: str) -> str:
    """The path of `program`. Without it the test is skipped; with `CI=true` it fails."""
    found = shutil.which(program)
    if found is not None:
        return found
    missing = f"needs `{program}`, which is not on PATH"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
