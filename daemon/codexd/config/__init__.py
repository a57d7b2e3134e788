"""What is configured, from which file and line; workspace id, state folders."""

from codexd.config.provider import ModelChoice, Provider
from codexd.config.settings import Config, load
from codexd.config.workspace import Folders, Workspace

__all__ = ["Config", "Folders", "ModelChoice", "Provider", "Workspace", "load"]
