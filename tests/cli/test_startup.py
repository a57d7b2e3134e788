"""What starting costs: modules are counted here, milliseconds in `benchmarks/startup.py`."""

import subprocess
import sys

import pytest

LIST_MODULES = """
import sys
before = set(sys.modules)
from codexd.cli import main
main({argv!r})
print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""


def imported(*argv: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES.format(argv=list(argv))],
        env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout
    return set(done.stderr.split())


def test_the_version_imports_nothing() -> None:
    assert imported("--version") == {"codexd", "codexd.cli"}


@pytest.mark.parametrize(
    "argv", [["--help"], ["delegate", "--help"], ["runs", "--help"], ["--help", "--lang", "ja"]]
)
def test_help_imports_the_table_and_little_else(argv: list[str]) -> None:
    heavy = {"argparse", "typing", "pathlib", "asyncio", "anyio", "pydantic", "wcwidth", "json"}
    modules = imported(*argv)
    assert not modules & heavy
    assert {name for name in modules if name.startswith("codexd")} == {
        "codexd", "codexd.cli", "codexd.cli.command", "codexd.cli.text", "codexd.cli.usage",
        "codexd.cli.verbs", "codexd.words",
    }  # fmt: skip


def test_completion_asks_no_model_and_no_journal() -> None:
    modules = imported("completion", "bash")
    assert not modules & {"pydantic", "anyio", "codexd.orchestrator", "httpx", "aiohttp"}
