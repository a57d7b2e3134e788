"""What an agent is allowed: layers, paths, commands, hosts, redaction.

Decisions are pure and stand here; `files` and `writing` act on them, `redaction` takes secrets
out of text, `tables` reads a configuration's ceiling.
"""

from codexd.policy.commands import may_exec
from codexd.policy.effective import describe
from codexd.policy.hosts import may_reach
from codexd.policy.layers import (
    Approval,
    Decision,
    Grant,
    Layer,
    Policy,
    SandboxTier,
    Verdict,
    may_ask_model,
    may_see_variable,
    may_use,
)
from codexd.policy.paths import may_read, may_write
from codexd.policy.tables import layer_from_table

__all__ = [
    "Approval",
    "Decision",
    "Grant",
    "Layer",
    "Policy",
    "SandboxTier",
    "Verdict",
    "describe",
    "layer_from_table",
    "may_ask_model",
    "may_exec",
    "may_reach",
    "may_read",
    "may_see_variable",
    "may_use",
    "may_write",
]
