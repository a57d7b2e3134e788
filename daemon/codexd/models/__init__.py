"""Whatever answers a conversation: hosted, local, a replay, or `offline` (rules)."""

from codexd.models.interface import (
    Answer,
    Brief,
    Item,
    Model,
    OnText,
    Request,
    Stop,
    ToolCall,
    ToolReply,
    ToolSchema,
    Usage,
    UserText,
    digest,
)

__all__ = [
    "Answer",
    "Brief",
    "Item",
    "Model",
    "OnText",
    "Request",
    "Stop",
    "ToolCall",
    "ToolReply",
    "ToolSchema",
    "Usage",
    "UserText",
    "digest",
]
