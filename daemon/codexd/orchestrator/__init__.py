"""The verbs that a door can ask for. A door parses, asks here, renders; it decides nothing."""

from codexd.orchestrator.orchestrator import Orchestrator
from codexd.orchestrator.verbs import (
    Ask,
    Began,
    Caller,
    Check,
    Consent,
    CreateAgent,
    CreatedAgent,
    Delegate,
    DelegateParallel,
    Kept,
    Notice,
    Remarks,
    Resume,
    Told,
    Undone,
)

__all__ = [
    "Ask",
    "Began",
    "Caller",
    "Check",
    "Consent",
    "CreateAgent",
    "CreatedAgent",
    "Delegate",
    "DelegateParallel",
    "Kept",
    "Notice",
    "Orchestrator",
    "Remarks",
    "Resume",
    "Told",
    "Undone",
]
