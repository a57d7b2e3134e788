"""codexd: runs AI agents for every editor, terminal and AI client of a workspace.

What a program needs to run agents stands here: `Orchestrator`, and the requests that it takes.
Importing this package is free, since the command's fast paths (`--version`) go through it.
"""

# Type checkers take this for `typing.TYPE_CHECKING`, whose import alone costs milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from codexd.orchestrator import CreateAgent as CreateAgent
    from codexd.orchestrator import Delegate as Delegate
    from codexd.orchestrator import DelegateParallel as DelegateParallel
    from codexd.orchestrator import Orchestrator as Orchestrator
else:

    def __getattr__(name: str) -> object:
        if name in __all__:
            from importlib import import_module

            return getattr(import_module("codexd.orchestrator"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CreateAgent", "Delegate", "DelegateParallel", "Orchestrator", "__version__"]

__version__ = "0.1.0"
