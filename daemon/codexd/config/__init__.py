"""What is configured, from which file and line; workspace id, state folders.

Importing this package is free, since a client that only wants to know where things are
(`places.py`) goes through it.
"""

# Type checkers take this for `typing.TYPE_CHECKING`, whose import alone costs milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from codexd.config.provider import ModelChoice as ModelChoice
    from codexd.config.provider import Provider as Provider
    from codexd.config.settings import Config as Config
    from codexd.config.settings import load as load
    from codexd.config.workspace import Folders as Folders
    from codexd.config.workspace import Workspace as Workspace
else:
    _FROM = {
        "ModelChoice": "provider",
        "Provider": "provider",
        "Config": "settings",
        "load": "settings",
        "Folders": "workspace",
        "Workspace": "workspace",
    }

    def __getattr__(name: str) -> object:
        if name in _FROM:
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Config", "Folders", "ModelChoice", "Provider", "Workspace", "load"]
