"""What is in force, from which file and line, and what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread

from codexd.agents.registry import Registry
from codexd.config import Config
from codexd.errors import Severity, Unavailable
from codexd.orchestrator.verbs import Check
from codexd.policy.ceilings import remarks_of
from codexd.runs.journal import Journal


async def examine(
    config: Config, env: Mapping[str, str], journal: Journal | Unavailable, registry: Registry
) -> tuple[Check, ...]:
    """Each part of codexd here: whether it is well, in words, and what to do where it is not.

    `journal` may be the fault with which it could not be opened.
    """
    return (
        _workspace(config),
        _model(config, env),
        *await unused_models(config, env),
        _sandbox(config),
        _agents(registry),
        _configuration(config),
        await _journal(config, journal),
        *_programs(env),
    )


def _workspace(config: Config) -> Check:
    found = config.workspace.root
    return Check("workspace", ok=True, text=f"{found} (id {config.workspace.id})")


def _model(config: Config, env: Mapping[str, str]) -> Check:
    choice = config.model
    source = str(choice.source)
    if choice.provider is None:
        what = f"{choice.name}: recorded answers" if choice.replays else "offline: rules"
        text = f"{what}, no language model; nothing leaves this machine"
        if choice.replays and not Path(choice.replays).is_file():
            remedy = "`codexd audit export --format jsonl > FILE` writes a recording"
            text = f"{choice.name}: there is no such file"
            return Check("model", ok=False, text=text, remedy=remedy, source=source)
        return Check("model", ok=True, text=text, source=source)
    provider = choice.provider
    text = f"{choice.name} at {provider.base_url} ({provider.wire_api})"
    if provider.env_key and not env.get(provider.env_key):
        remedy = f"export {provider.env_key}=… in the shell that starts codexd"
        text = f"{text}, but {provider.env_key} is not set"
        return Check("model", ok=False, text=text, remedy=remedy, source=source)
    return Check("model", ok=True, text=text, source=source)


async def unused_models(config: Config, env: Mapping[str, str]) -> tuple[Check, ...]:
    """What could answer and is not asked: named here, never used by itself."""
    from codexd.models.providers import key_hints

    used = config.model.provider.id if config.model.provider else ""
    return tuple(
        Check(
            "not used",
            ok=True,
            text=f"{hint.found}; it is not used by itself",
            remedy=f"-m {hint.provider.id}/MODEL uses it once; `codexd models` lists its models",
        )
        for hint in await key_hints(env)
        if hint.provider.id != used
    )


def _sandbox(config: Config) -> Check:
    source = config.sources.get("sandbox")
    if config.sandbox == "none":
        text = "none, by your own configuration: granted commands run unheld by the kernel"
        return Check("sandbox", ok=True, text=text, source=str(source or ""))
    text = "no tier is in force yet: agents get no shell"
    remedy = 'sandbox = "none" in ~/.codex/codexd.toml lets granted commands run, unheld'
    return Check("sandbox", ok=True, text=text, remedy=remedy)


def _agents(registry: Registry) -> Check:
    usable = [e for e in registry.entries if e.definition is not None and e.shadowed_by is None]
    broken = [e for e in registry.entries if e.definition is None]
    of_entries = (d for e in registry.entries for d in e.diagnostics)
    remarks = sum(
        d.severity in (Severity.ERROR, Severity.WARNING)
        for d in (*registry.diagnostics, *of_entries)
    )
    text = f"{len(usable)} usable, {len(broken)} with errors, {remarks} remarks"
    remedy = "`codexd agents validate` names each with its line" if remarks or broken else ""
    unread = any(d.severity is Severity.ERROR for d in registry.diagnostics)
    return Check("agents", ok=not broken and not unread, text=text, remedy=remedy)


def _configuration(config: Config) -> Check:
    found = remarks_of(config)
    errors = [d for d in found if d.severity is Severity.ERROR]
    files = ", ".join(str(path) for path in config.files) or "no file: built-in values"
    remarks = "; ".join(str(remark) for remark in found)
    return Check("configuration", ok=not errors, text=files, remedy=remarks)


async def _journal(config: Config, journal: Journal | Unavailable) -> Check:
    if isinstance(journal, Unavailable):
        return Check("journal", ok=False, text=str(journal), remedy=journal.help)
    faults, n_events, n_runs = await anyio.to_thread.run_sync(journal.verify)
    text = f"{journal.path}: {n_events:,} events, {n_runs:,} runs, "
    if faults:
        remedy = "; ".join(fault.what for fault in faults[:3])
        return Check("journal", ok=False, text=f"{text}the chain is broken", remedy=remedy)
    free = shutil.disk_usage(config.folders.state).free
    ok = free > 100 * 2**20
    remedy = "" if ok else "free some space: an act that cannot be journalled is not begun"
    return Check(
        "journal", ok=ok, text=f"{text}chain whole, {free // 2**20:,} MiB free", remedy=remedy
    )


def _programs(env: Mapping[str, str]) -> list[Check]:
    path = env.get("PATH", os.defpath)
    uses = {
        "git": "git tools are not offered without it",
        "rg": "grep uses Python without it: the same results, slower",
    }
    checks: list[Check] = []
    for name, use in uses.items():
        found = shutil.which(name, path=path)
        checks.append(Check(name, ok=True, text=found or "not there", remedy="" if found else use))
    version = ".".join(map(str, sys.version_info[:3]))
    return [*checks, Check("python", ok=True, text=f"{version} ({sys.executable})")]
