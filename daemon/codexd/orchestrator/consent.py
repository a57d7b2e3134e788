"""Nothing is sent behind the user's back: the question before a hosted model reads files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from codexd.agents.definition import AgentDefinition
from codexd.errors import Denied
from codexd.orchestrator.verbs import Ask, Consent
from codexd.runs.events import Approved, Asked, Body
from codexd.runs.host import Host


async def obtain(
    host: Host, definitions: Sequence[AgentDefinition], ask: Ask | None
) -> tuple[Body, ...]:
    """The events that say by whom the model in force was allowed; none where nothing leaves.

    A hosted model is asked about once a workspace: it may read files for good, or for this run.
    Without anyone to ask, the flag or the configuration that named the model is the permission.
    Raises `Denied`.
    """
    opened = host.open_model(definitions[0] if definitions else None)
    reader = opened.model.host
    if not reader:
        return ()
    digest = hashlib.sha256(f"hosted model\0{reader}".encode()).hexdigest()
    if scope := host.journal.approved(digest):
        return (Approved(what="hosted model", subject=reader, by="user", scope=scope),)
    source = str(host.config.model.source)
    if ask is None:
        return (Approved(what="hosted model", subject=reader, by=source, scope="configured"),)
    names = tuple(dict.fromkeys(definition.name for definition in definitions))
    answer = await ask(Consent(host=reader, reads="./** without .env, .git, keys", agents=names))
    if answer not in ("once", "always"):
        raise Denied(
            f"{reader} may not read files of this workspace, so nothing was begun",
            help="`-m offline` runs by rules; nothing leaves this machine",
        )
    if answer == "always":
        await host.journal.approve(digest, f"hosted model {reader}", "always", "user")
    return (
        Asked(what="hosted model", subject=reader),
        Approved(what="hosted model", subject=reader, by="user", scope=answer),
    )
