"""What is configured, from which file and line; workspace id, state folders."""

from codexd.config.settings import Config, ModelChoice, Provider, load
from codexd.config.workspace import Folders, Workspace

__all__ = ["Config", "Folders", "ModelChoice", "Provider", "Workspace", "load"]
