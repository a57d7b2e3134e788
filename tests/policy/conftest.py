"""Layers in one line, and both ways of opening files."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codexd.errors import Source
from codexd.policy import Approval, Grant, Layer, Policy, SandboxTier
from codexd.policy.beneath import Opener, kernel_opens, open_by_kernel, open_by_walk

HERE = Source("agent.yaml", 7)

MakeLayer = Callable[..., Layer]


@pytest.fixture
def layer() -> MakeLayer:
    """`layer(write=["./artifacts"], approval=…)`, every grant at `agent.yaml:7`."""

    def make(
        name: str = "agent x", **said: list[str] | Approval | SandboxTier | int | None
    ) -> Layer:
        fields = {
            key: tuple(Grant(one, HERE) for one in value) if isinstance(value, list) else value
            for key, value in said.items()
        }
        return Layer(name, HERE, **fields)  # pyright: ignore[reportArgumentType]

    return make


@pytest.fixture
def everything(layer: MakeLayer) -> Policy:
    """May read and write the workspace."""
    return (layer(read=["./**"], write=["./**"]),)


@pytest.fixture(params=[open_by_kernel, open_by_walk])
def opener(request: pytest.FixtureRequest) -> Opener:
    """Each of the two openers; one suite holds for both."""
    if request.param is open_by_kernel and not kernel_opens():
        absent = "openat2 is absent here (Linux 5.6 or newer has it)"
        if os.environ.get("CI") == "true" and sys.platform == "linux":
            pytest.fail(absent)
        pytest.skip(absent)
    return request.param


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace folder with a neighbour that nothing may reach."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("outside\n")
    folder = tmp_path / "ws"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("A = 1\n")
    (folder / "README.md").write_text("# hello\n")
    (folder / ".env").write_text("TOKEN=1\n")
    return folder.resolve()
