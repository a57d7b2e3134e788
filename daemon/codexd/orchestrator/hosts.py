"""The hosts of a process: one for each configuration and environment that somebody asks with.

All share the journal, the seats and the places to run in; each has its own models, policy and
secrets, since a run uses the environment of whoever started it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from codexd.config import Config
from codexd.orchestrator.opening import Models, project_rules
from codexd.policy.ceilings import ceilings_of
from codexd.policy.redaction import Redactor
from codexd.runs.host import Host

MOST = 8
"""Hosts that are kept while nobody uses them: their connections are warm."""


@dataclass(slots=True, eq=False)
class _Kept:
    config: Config
    env: Mapping[str, str]
    host: Host
    models: Models
    n_using: int = 0


def _plays(kept: _Kept) -> bool:
    """Whether its model is a recording: that is played from its beginning for each request."""
    return kept.config.model.replays is not None


class Hosts:
    """Hosts by configuration and environment, made from the first; models close with them."""

    def __init__(self, first: Host, models: Models, env: Mapping[str, str]) -> None:
        self._first = first
        self._kept = [_Kept(first.config, env, first, models, n_using=1)]

    async def __aenter__(self) -> Hosts:
        return self

    async def __aexit__(self, *_: object) -> None:
        # The first one's are closed by whoever opened them.
        for kept in self._kept[1:]:
            await kept.models.__aexit__(None, None, None)

    @asynccontextmanager
    async def use(
        self, config: Config, env: Mapping[str, str]
    ) -> AsyncGenerator[tuple[Host, Models]]:
        """The host of `config` and `env`, and its models, for the length of the block."""
        kept = self._find(config, env)
        kept.n_using += 1
        try:
            yield kept.host, kept.models
        finally:
            kept.n_using -= 1
            await self._let_go()

    def redact(self, text: str) -> str:
        """`text` without the secrets of anyone who has asked lately."""
        for kept in self._kept:
            text = kept.host.redact(text)
        return text

    def read_rules(self) -> None:
        """The project's rules are told as they are now to runs that begin from now on."""
        for kept in list(self._kept):
            kept.host.project_rules = project_rules(kept.host.context)

    def _find(self, config: Config, env: Mapping[str, str]) -> _Kept:
        for kept in self._kept:
            if kept.env == env and kept.config == config and not _plays(kept):
                # The last used stands last.
                if kept is not self._kept[0]:
                    self._kept.remove(kept)
                    self._kept.append(kept)
                return kept
        models = Models(config, env)
        redactor = Redactor(models.secrets())

        def redacted(text: str) -> str:
            return redactor.redact(text)[0]

        context = replace(
            self._first.context,
            policy=ceilings_of(config),
            env=env,
            web_search=config.web_search,
        )
        host = replace(
            self._first,
            config=config,
            open_model=models.open,
            open_again=models.open_again,
            light_model=models.open_light,
            context=context,
            redact=redacted,
            project_rules=project_rules(context),
        )
        kept = _Kept(config, env, host, models)
        self._kept.append(kept)
        return kept

    async def _let_go(self) -> None:
        idle = [kept for kept in self._kept if not kept.n_using]
        over = idle[: max(0, len(idle) - MOST)]
        for kept in [*over, *(kept for kept in idle[len(over) :] if _plays(kept))]:
            self._kept.remove(kept)
            await kept.models.__aexit__(None, None, None)
