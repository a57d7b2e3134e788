"""What an agent may do, one module a family."""

from codexd.tools.interface import (
    Effect,
    FileChange,
    Finding,
    Fix,
    TextEdit,
    Tool,
    ToolContext,
    ToolOutput,
)

__all__ = [
    "Effect",
    "FileChange",
    "Finding",
    "Fix",
    "TextEdit",
    "Tool",
    "ToolContext",
    "ToolOutput",
]
