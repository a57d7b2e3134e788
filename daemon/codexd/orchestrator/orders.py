"""What a request asks for, checked against what there is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from codexd.agents.registry import Registry
from codexd.config import Config
from codexd.errors import BadRequest
from codexd.orchestrator.verbs import Delegate, micro_usd
from codexd.runs import start
from codexd.runs.events import ChildSpec


def order_of(request: Delegate, registry: Registry, config: Config) -> start.Order:
    """What one request orders. Raises `UnknownAgent`, `BadDefinition`, `BadRequest`."""
    definition = registry.find(request.agent)
    return start.Order(
        definition=definition,
        spec=ChildSpec(
            agent=definition.name,
            goal=request.goal,
            scope=_scope(request.scope, config.workspace.root),
            budget=request.budget,
            deadline_seconds=request.deadline_seconds,
        ),
        budget_micro_usd=micro_usd(request.budget_usd),
    )


def _scope(paths: Sequence[str], root: Path) -> tuple[str, ...]:
    """`paths` as workspace-relative ones. Raises `BadRequest` for what is not there."""
    scope: list[str] = []
    for text in paths:
        relative = os.path.relpath(root / text, root)
        if _is_outside(relative):
            # The workspace may have been named by way of a link.
            relative = os.path.relpath(os.path.realpath(root / text), root)
        if _is_outside(relative):
            raise BadRequest(
                f"the scope {text!r} is outside the workspace {root}",
                help="-C acts in another folder's workspace",
            )
        if not os.path.lexists(root / relative):  # which never raises
            raise BadRequest(
                f"the scope {text!r} does not exist in {root}",
                help="name a file or folder from where you are, or from the workspace's root",
            )
        scope.append(relative)
    return tuple(scope)


def _is_outside(relative: str) -> bool:
    return relative == ".." or relative.startswith("../")
