"""codexd: runs AI agents for every editor, terminal and AI client of a workspace.

Importing this package is free: the command's fast paths (`--version`) go through it.
"""

# Type checkers take this for `typing.TYPE_CHECKING`, whose import alone costs milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from codexd.orchestrator import Orchestrator as Orchestrator

__all__ = ["Orchestrator", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "Orchestrator":
        from codexd.orchestrator import Orchestrator

        return Orchestrator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
