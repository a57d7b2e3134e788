"""What every test has."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from codexd.daemon import endpoint


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _own_folders(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Generator[None]:
    """No test reads or writes the state, configuration or keys of whoever runs it, and none leaves
    a daemon behind.
    """
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in list(os.environ):
        if name.startswith("XDG_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    yield
    for lock in home.glob(".local/state/codexd/*/daemon.lock"):
        _end_daemon(lock)


def _end_daemon(path: Path) -> None:
    lock = endpoint.open_lock(str(path))
    try:
        if not endpoint.take(lock):
            os.kill(endpoint.holder(lock)[0], signal.SIGTERM)
            assert endpoint.wait_for(lock, 30)
    finally:
        os.close(lock)
