"""The verbs that a door can ask for. A door parses, asks here, renders; it decides nothing."""

from codexd.orchestrator.orchestrator import Orchestrator
from codexd.orchestrator.verbs import (
    Ask,
    Check,
    Consent,
    CreateAgent,
    CreatedAgent,
    Delegate,
    DelegateParallel,
    Kept,
    Notice,
    Resume,
    Undone,
)

__all__ = [
    "Ask",
    "Check",
    "Consent",
    "CreateAgent",
    "CreatedAgent",
    "Delegate",
    "DelegateParallel",
    "Kept",
    "Notice",
    "Orchestrator",
    "Resume",
    "Undone",
]
