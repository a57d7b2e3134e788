"""What the argument models of tools share: no unknown keys, and the spellings models use."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Arguments(BaseModel):
    """The arguments of one call; a key that the tool does not know is refused."""

    # Built when first used: a run is offered few of the tools, the command line none.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


def _as_list(value: Any) -> Any:
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else value


Strings: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
"""Several texts, or one given by itself."""
