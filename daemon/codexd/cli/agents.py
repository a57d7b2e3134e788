"""The verbs about agent files: `agents show`, `validate`, `export`, `schema`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.agents.registry import Registry, load
from codexd.agents.validate import check_paths
from codexd.cli.columns import cells, clean, wrap
from codexd.cli.door import Door
from codexd.cli.page import Page
from codexd.cli.units import length, number
from codexd.config import Config
from codexd.config import load as load_config
from codexd.config.workspace import home_of
from codexd.errors import Diagnostic, Severity, Source
from codexd.policy import Grant, Layer, Policy
from codexd.policy.ceilings import ceilings_of
from codexd.policy.effective import describe


def looked_up(door: Door) -> tuple[Config, Registry]:
    """What is configured for the folder's workspace, and its agents."""
    config = _config(door)
    root, home, profile = config.workspace.root, home_of(door.env), config.default_profile
    return config, load(root, home=home, profile=profile, ceilings=ceilings_of(config))


def _registry_told(door: Door) -> tuple[Config, Registry]:
    """The agents; what could not be looked at, and so is not among them, is told on stderr."""
    config, registry = looked_up(door)
    remarks = diagnostics_lines(registry.diagnostics, config.workspace.root)
    door.err.write("".join(f"{clean(line)}\n" for line in remarks))
    return config, registry


def _config(door: Door) -> Config:
    return load_config(door.folder, env=door.env)


# --- one agent -------------------------------------------------------------------------------


def show(door: Door) -> int:
    """`codexd agents show NAME`."""
    config, registry = _registry_told(door)
    definition = registry.find(door.asked.one("NAME") or "")
    entry = next(each for each in registry.entries if each.definition == definition)
    shown = Shown(definition, entry.diagnostics, ceilings_of(config), config)
    if door.json:
        told = {"agent": shown.definition, "in_force": in_force(shown), "problems": shown.problems}
        door.give(told)
    else:
        door.show(agent_page(shown, door.page))
    return 0


@dataclass(frozen=True, slots=True)
class Shown:
    """One agent, and what else decides what it may do here."""

    definition: AgentDefinition
    problems: tuple[Diagnostic, ...]
    ceilings: Policy
    config: Config


def in_force(shown: Shown) -> tuple[str, ...]:
    """What is left of its grants under the ceilings, here and now."""
    policy = (*shown.ceilings, shown.definition.policy)
    return describe(policy, starts=shown.config.sandbox == "none")


def agent_page(shown: Shown, page: Page) -> list[str]:
    """What an agent is, may do and may spend, each limit with the line that sets it."""
    definition, config = shown.definition, shown.config
    text = page.text
    root = config.workspace.root
    limit = definition.max_tokens
    budget = (
        text("agent.default", n=number(config.default_budget))
        if limit is None
        else text("agent.tokens", n=number(limit)) + _at(definition.max_tokens_source, root)
    )
    deadline = definition.timeout_seconds
    facts: list[tuple[str, list[str]]] = [
        ("agent.file", [f"{_short(definition.source, root)} ({definition.dialect})"]),
        ("agent.about", [definition.description]),
        ("agent.goal", [definition.goal]),
        ("agent.model", [definition.model or ""]),
        ("agent.tools", [", ".join(definition.tools + definition.mcp_tools)]),
        *_grants(definition.policy, root, page),
        ("agent.ceiling", [f"{layer.name}{_at(layer.source, root)}" for layer in shown.ceilings]),
        ("agent.in-force", [" · ".join(map(text.told, in_force(shown)))]),
        ("agent.budget", [budget]),
        ("agent.deadline", [length(deadline) if deadline else ""]),
        ("agent.retention", [text(f"retention.{definition.retention}")]),
        ("agent.artifacts", [", ".join(definition.artifacts)]),
        ("agent.criteria", list(definition.success_criteria)),
    ]
    indent = max(cells(text(key)) for key, _ in facts) + 2
    lines = [page.ink("bold", clean(definition.name))]
    for key, values in facts:
        label = text(key)
        for value in filter(None, values):
            lines += page.labelled(label, clean(value), indent=indent)
            label = ""
    for problem in diagnostics_lines(shown.problems, root):
        lines += wrap(clean(problem), page.prose)
    return lines


def _grants(layer: Layer, root: Path, page: Page) -> list[tuple[str, list[str]]]:
    """What the definition grants, a line a grant with its place; `nothing` where it is empty."""
    fields = (
        ("agent.read", layer.read),
        ("agent.write", layer.write),
        ("agent.exec", layer.exec),
        ("agent.net", layer.net),
    )
    nothing = [page.text("agent.nothing")]
    return [
        (key, nothing if not grants else [_grant(grant, root) for grant in grants])
        for key, grants in fields
        if grants is not None
    ]


def _grant(grant: Grant, root: Path) -> str:
    return f"{grant.value}{_at(grant.source, root)}"


def _at(source: Source | None, root: Path) -> str:
    return f"  ({_short(source, root)})" if source else ""


def _short(source: Source, root: Path) -> str:
    """The place as seen from the workspace."""
    return str(source).removeprefix(f"{root}/")


# --- files -----------------------------------------------------------------------------------


def validate(door: Door) -> int:
    """`codexd agents validate [PATH…]`: 1 where a file has an error."""
    paths = [Path(path) for path in door.asked.all("PATH")]
    config = _config(door)
    checked = check_paths(
        paths,
        root=config.workspace.root,
        home=home_of(door.env),
        profile=config.default_profile,
        ceilings=ceilings_of(config),
    )
    found = [diagnostic for _, diagnostics in checked for diagnostic in diagnostics]
    if door.json:
        door.give(found)
    elif found:
        door.show([clean(line) for line in diagnostics_lines(found, Path.cwd())])
    else:
        door.show([door.text.count("agents.valid", len(checked))])
    return 1 if any(each.severity is Severity.ERROR for each in found) else 0


def diagnostics_lines(found: Sequence[Diagnostic], here: Path) -> list[str]:
    """`file:line:column: severity: message`, as editors and compilers write them."""
    ordered = sorted(found, key=lambda each: (str(each.path), each.line, each.column))
    return [str(each).removeprefix(f"{here}/") for each in ordered]


def schema(door: Door) -> int:
    """`codexd agents schema --format yaml|toml|…`: for tools that check files by a JSON schema."""
    from codexd.agents.schema import schema_of

    door.give(
        schema_of(door.asked.one("--format") or "yaml", "ja" if door.text.lang == "ja" else "en")
    )
    return 0


def export(door: Door) -> int:
    """`codexd agents export NAME --format yaml|toml`."""
    from codexd.agents.export import to_toml, to_yaml

    definition = _registry_told(door)[1].find(door.asked.one("NAME") or "")
    kind = door.asked.one("--format") or "yaml"
    text, unsaid = to_toml(definition) if kind == "toml" else (to_yaml(definition), ())
    if door.json:
        door.give({"name": definition.name, "format": kind, "text": text, "unsaid": unsaid})
        return 0
    # What the other format cannot say would otherwise be lost in silence.
    page, note = door.progress, door.text("note")
    for sentence in unsaid:
        lines = page.labelled(note, clean(sentence), indent=cells(note) + 2)
        door.err.write("".join(f"{line}\n" for line in lines))
    door.show(text.rstrip("\n").split("\n"))
    return 0
