"""The layers above every definition, as the configuration has them."""

from __future__ import annotations

from codexd.config import Config
from codexd.errors import Diagnostic
from codexd.policy.layers import Layer, Policy
from codexd.policy.tables import layer_from_table


def ceilings_of(config: Config) -> Policy:
    """The layers above every definition: the user's ceiling, then the workspace's."""
    return tuple(layer for layer, _ in _ceilings(config))


def remarks_of(config: Config) -> tuple[Diagnostic, ...]:
    """What is wrong in the configuration, in its `[policy]` tables too."""
    return (*config.diagnostics, *(one for _, found in _ceilings(config) for one in found))


def _ceilings(config: Config) -> list[tuple[Layer, tuple[Diagnostic, ...]]]:
    tables = (
        ("user ceiling", config.user_policy, config.sources, True),
        ("workspace ceiling", config.workspace_policy, config.workspace_policy_sources, False),
    )
    return [
        layer_from_table(name, table, sources, own=own)
        for name, table, sources, own in tables
        if table
    ]
