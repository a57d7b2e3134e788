"""A workspace for editors: an agent with a mistake, code that has some, a model of the test's."""

from __future__ import annotations

from pathlib import Path

from tests.cli.program import workspace
from tests.house import agent

HELPER = """\
name: helper
goal: Look around.
policies:
  context: {max_tokns: 5000}
"""


def furnished(folder: Path) -> Path:
    """The workspace, made at `folder`."""
    root = workspace(folder).resolve()
    (root / ".codex" / "agents").mkdir(parents=True)
    (root / ".codex" / "agents" / "helper.yaml").write_text(HELPER)
    return root


def use_model(url: str, root: Path) -> None:
    """Have the agent `worker` there, and the model at `url` answer all runs."""
    worker = agent("worker", tools="read_file, report_finding")
    (root / ".codex" / "agents" / "worker.yaml").write_text(worker)
    config = Path.home() / ".codex" / "codexd.toml"
    config.parent.mkdir()
    config.write_text(f"""\
model = "small"
model_provider = "scripted"
[model_providers.scripted]
name = "scripted"
wire_api = "chat"
base_url = "{url}"
""")
