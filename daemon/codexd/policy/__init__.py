"""What an agent is allowed: layers, paths, commands, hosts, redaction."""

from codexd.policy.layers import (
    Approval,
    Decision,
    Grant,
    Layer,
    Policy,
    SandboxTier,
    Verdict,
)

__all__ = ["Approval", "Decision", "Grant", "Layer", "Policy", "SandboxTier", "Verdict"]
