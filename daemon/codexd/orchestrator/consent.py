"""Nothing is sent behind the user's back: the question before a hosted model reads files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from codexd.agents.definition import AgentDefinition
from codexd.errors import Denied
from codexd.orchestrator.verbs import Ask, Consent
from codexd.runs.events import Approved, Asked, Body
from codexd.runs.host import Host
from codexd.runs.resume import Tree, definition_of
from codexd.runs.seat import Opened
from codexd.runs.start import HOSTED


async def obtain(
    host: Host, definitions: Sequence[AgentDefinition], ask: Ask | None
) -> tuple[Body, ...]:
    """The events that say by whom each host that will read files was allowed to; none where
    nothing leaves this machine.

    A host is asked about once a workspace: it may read files for good, or for this run. Without
    anyone to ask, the flag or the configuration that named the model is the permission.
    Raises `Denied`.
    """
    light = host.light_model()
    # A definition may choose another model of the provider, which may stand elsewhere.
    opened = [(host.open_model(definition), definition.name) for definition in definitions]
    lights = [(light, definition.name) for definition in definitions if light is not None]
    return await _of_all((*opened, *lights), host, ask, known=frozenset())


async def obtain_again(host: Host, tree: Tree, ask: Ask | None) -> tuple[Body, ...]:
    """The same for a tree that is taken up again: what was allowed for it holds."""
    opened = [
        (host.open_again(run.started.model, definition), definition.name)
        for run in tree
        if (definition := definition_of(run)) is not None
    ]
    return await _of_all(opened, host, ask, known=tree.readers)


async def _of_all(
    opened: Sequence[tuple[Opened, str]], host: Host, ask: Ask | None, *, known: frozenset[str]
) -> tuple[Body, ...]:
    readers: dict[str, dict[str, None]] = {}
    for one, agent in opened:
        if one.model.host and one.model.host not in known:
            readers.setdefault(one.model.host, {})[agent] = None
    said: list[Body] = []
    for reader, agents in readers.items():
        said += await _allow(reader, tuple(agents), host, ask)
    return tuple(said)


async def _allow(reader: str, agents: tuple[str, ...], host: Host, ask: Ask | None) -> list[Body]:
    digest = hashlib.sha256(f"{HOSTED}\0{reader}".encode()).hexdigest()
    if scope := host.journal.approved(digest):
        return [Approved(what=HOSTED, subject=reader, by="user", scope=scope)]
    if ask is None:
        source = str(host.config.model.source)
        return [Approved(what=HOSTED, subject=reader, by=source, scope="configured")]
    answer = await ask(Consent(host=reader, reads="./** without .env, .git, keys", agents=agents))
    if answer not in ("once", "always"):
        raise Denied(
            f"{reader} may not read files of this workspace, so nothing was begun",
            help="`-m offline` runs by rules; nothing leaves this machine",
        )
    if answer == "always":
        await host.journal.approve(digest, f"{HOSTED} {reader}", "always", "user")
    return [
        Asked(what=HOSTED, subject=reader),
        Approved(what=HOSTED, subject=reader, by="user", scope=answer),
    ]
