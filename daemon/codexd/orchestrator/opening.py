"""Putting a host together: configuration, models, policy, agents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from codexd.agents import registry as agents
from codexd.agents.definition import AgentDefinition
from codexd.agents.registry import Registry
from codexd.config import Config, ModelChoice
from codexd.config.workspace import home_of
from codexd.errors import BadConfig, CodexdError, ModelFault
from codexd.models.interface import ModelEntry, Usage
from codexd.policy.ceilings import ceilings_of
from codexd.policy.files import read_bytes
from codexd.policy.redaction import Redactor, known_secrets
from codexd.runs.host import Host
from codexd.runs.journal import Journal
from codexd.runs.seat import Opened
from codexd.runs.slots import Slots
from codexd.tools import ToolContext
from codexd.tools.keeper import Keeper, end_marked

if TYPE_CHECKING:
    from codexd.models.http import Client

MAX_PROJECT_RULES = 32_000
"""Bytes of AGENTS.md that are told to a model."""


@asynccontextmanager
async def open_host(
    config: Config, env: Mapping[str, str], journal: Journal
) -> AsyncGenerator[tuple[Host, Models]]:
    """A host for the workspace of `config`, and its models; connections close with it."""
    keeper = Keeper(journal.host)
    context = ToolContext(
        root=config.workspace.root,
        policy=ceilings_of(config),
        env=env,
        cache=config.folders.cache,
        keeper=keeper,
        web_search=config.web_search,
    )
    registry = LatestRegistry(config, home_of(env))
    async with Models(config, env) as models:
        redactor = Redactor(models.secrets())
        host = Host(
            config=config,
            journal=journal,
            registry=registry.now,
            open_model=models.open,
            open_again=models.open_again,
            light_model=models.open_light,
            context=context,
            redact=lambda text: redactor.redact(text)[0],
            publish=lambda _run, _kind: None,
            slots=Slots(config.max_threads),
            project_rules=project_rules(context),
        )
        await anyio.to_thread.run_sync(_clear, journal)
        try:
            yield host, models
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(keeper.leave)


def _clear(journal: Journal) -> None:
    """End what hosts that were killed have left running."""
    for host in journal.clear_dead():
        end_marked(host)


def project_rules(context: ToolContext) -> str:
    """The workspace's AGENTS.md, as much of it as is told; empty where there is none."""
    try:
        text = read_bytes(context.root, context.policy, "AGENTS.md", limit=MAX_PROJECT_RULES)
    except CodexdError:
        return ""
    return text.decode(errors="replace")


class LatestRegistry:
    """The agents of a workspace as they are now: files that did not change are not read again."""

    def __init__(self, config: Config, home: Path) -> None:
        self._root, self._home = config.workspace.root, home
        self._last: Registry | None = None
        self._reread = False
        self.configure(config)

    def now(self, changed: Collection[str] = ()) -> Registry:
        """The registry, looked at anew; files of the names in `changed` are read in any case."""
        if self._reread and self._last is not None:
            changed, self._reread = {entry.path.name for entry in self._last.entries}, False
        self._last = agents.load(
            self._root,
            home=self._home,
            profile=self._profile,
            ceilings=self._ceilings,
            cached=self._last.entries if self._last else (),
            changed=changed,
        )
        return self._last

    def configure(self, config: Config) -> None:
        """What is configured has changed: every file is read anew the next time."""
        self._profile, self._ceilings = config.default_profile, ceilings_of(config)
        self._reread = True


class Free:
    """The price of what nobody bills."""

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """Nothing."""
        return 0

    def cost(self, usage: Usage) -> int:
        """Nothing."""
        return 0


class Models:
    """The models of a process, over one HTTP client, made when one is first reached by HTTP."""

    def __init__(self, config: Config, env: Mapping[str, str]) -> None:
        self._config, self._env = config, env
        self._client: Client | None = None
        self._opened: dict[str, Opened] = {}
        self._recording: list[Mapping[str, Any]] | None = None

    async def __aenter__(self) -> Models:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.__aexit__(None, None, None)

    def client(self) -> Client:
        """The client, made on first use: offline runs never import HTTP."""
        if self._client is None:
            from codexd.models.http import Client

            self._client = Client()
        return self._client

    def open(self, definition: AgentDefinition | None) -> Opened:
        """The model in force for `definition`, whose own `model` chooses among the provider's.

        Raises `AuthFailed`, `BadConfig` for a recording that cannot be played.
        """
        choice = self._config.model
        if choice.replays is not None:
            return self._replay(choice, definition.name if definition else "")
        if choice.provider is not None and definition is not None and definition.model:
            choice = replace(choice, id=definition.model, source=definition.source)
        return self._open(choice)

    def open_again(self, name: str, definition: AgentDefinition) -> Opened:
        """The model that a run began with; where the command line names one, that.

        Raises `AuthFailed`, and `BadConfig` where its provider is configured no more.
        """
        source = self._config.model.source
        if source.file == "<command line>":
            return self.open(definition)
        provider, _, id = name.partition("/")
        if name == "offline" or provider == "replay":
            return self._open(ModelChoice(None, name, source))
        if provider not in self._config.providers:
            raise BadConfig(
                f"the run began with {name}, and no provider `{provider}` is configured any more",
                help="configure it again, or name a model: -m PROVIDER/MODEL",
            )
        return self._open(ModelChoice(self._config.providers[provider], id, source))

    def open_light(self) -> Opened | None:
        """The model for lightweight mode, where the configuration names one."""
        choice = self._config.light_model
        return self._open(choice) if choice is not None else None

    def _open(self, choice: ModelChoice) -> Opened:
        if choice.name not in self._opened:
            self._opened[choice.name] = self._make(choice)
        return self._opened[choice.name]

    def _replay(self, choice: ModelChoice, agent: str) -> Opened:
        """The recorded answers of one agent, which all its runs share."""
        from codexd.models.replay import Replay, read_recording

        path = choice.replays or ""
        if self._recording is None:
            self._recording = read_recording(Path(path))
        key = f"{choice.name}\0{agent}"
        if key not in self._opened:
            mine = [call for call in self._recording if call.get("agent_name") == agent]
            if not mine:
                names = dict.fromkeys(str(call.get("agent_name")) for call in self._recording)
                raise BadConfig(
                    f"the recording {path} has no answers of `{agent}`",
                    help=f"it has those of {', '.join(names)}",
                )
            model = Replay(mine, name=choice.name)
            self._opened[key] = Opened(model, price=Free(), billed=False, by_rules=model.exact)
        return self._opened[key]

    def _make(self, choice: ModelChoice) -> Opened:
        if choice.provider is None:
            from codexd.models.offline import Offline

            return Opened(Offline(), price=Free(), billed=False, by_rules=True)
        from codexd.models.prices import price_of
        from codexd.models.providers import open_model

        model = open_model(
            choice,
            env=self._env,
            client=self.client(),
            window=self._config.model_context_window,
        )
        provider = choice.provider
        billed = bool(model.host)
        price = price_of(provider.id, choice.id, base_url=provider.base_url) if billed else Free()
        return Opened(model, price, billed, stream_retries=provider.stream_max_retries)

    def secrets(self) -> dict[str, str]:
        """Values that are redacted wherever they appear, by name: of the variables that hold keys,
        configured or by their own name, and of the headers and parameters that are sent.
        """
        found = known_secrets(self._env)
        names = {provider.env_key for provider in self._config.providers.values()}
        if self._config.web_search is not None:
            names.add(self._config.web_search.get("env_key"))
        found |= {name: value for name in names if name and (value := self._env.get(name))}
        for provider in self._config.providers.values():
            found |= known_secrets({**provider.http_headers, **provider.query_params})
        return found

    async def list_all(self) -> tuple[tuple[str, Sequence[ModelEntry] | str], ...]:
        """(provider, its models or why they cannot be had): `offline`, and each usable provider."""
        from codexd.models.providers import list_models

        redactor = Redactor(self.secrets())
        rows: list[tuple[str, Sequence[ModelEntry] | str]] = [
            ("offline", [ModelEntry("offline", "offline", {"what": "rules, no language model"})])
        ]
        for provider in self._config.providers.values():
            try:
                listed = await list_models(provider, self._env, self.client())
            except (ModelFault, CodexdError) as fault:
                rows.append((provider.id, redactor.redact(f"{fault}")[0]))
            else:
                rows.append((provider.id, listed))
        return tuple(rows)
