"""Which agents fit a place in a file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from codexd.agents.definition import AgentDefinition
from codexd.agents.registry import Registry
from codexd.agents.toolnames import WRITING
from codexd.policy import Policy, may_write

LANGUAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Python": ("python", (".py", ".pyi")),
    "TypeScript": ("typescript tsx", (".ts", ".tsx", ".mts", ".cts")),
    "JavaScript": ("javascript node nodejs", (".js", ".jsx", ".mjs", ".cjs")),
    "Rust": ("rust cargo", (".rs",)),
    "Go": ("golang", (".go",)),
    "Java": ("java", (".java",)),
    "Kotlin": ("kotlin", (".kt", ".kts")),
    "C": ("c", (".c", ".h")),
    "C++": ("cpp c++", (".cc", ".cpp", ".cxx", ".hpp", ".hh")),
    "C#": ("csharp c# dotnet", (".cs",)),
    "Ruby": ("ruby rails", (".rb",)),
    "PHP": ("php", (".php",)),
    "Swift": ("swift", (".swift",)),
    "Shell": ("shell bash", (".sh", ".bash", ".zsh")),
    "SQL": ("sql", (".sql",)),
    "CSS": ("css scss", (".css", ".scss")),
    "HTML": ("html", (".html", ".htm")),
    "Markdown": ("markdown docs documentation", (".md",)),
}
"""By name: the words that an agent says it by, and how its files end."""

AMBIGUOUS = {"c", "node", "docs", "documentation", "shell", "sql", "html", "css", "markdown"}
"""Words that an agent for anything may say: they make it fit, and keep it from nothing."""

MENDING = {"fix", "fixes", "mend", "mends", "repair", "refactor", "refactoring", "refactorer"}
MOST = 6
_WORD = re.compile(r"[a-z0-9+#]+")


def language_of(path: str) -> str | None:
    """The language of a file by its name; `None` where that does not tell."""
    suffix = PurePosixPath(path).suffix.lower()
    return next((name for name, (_, ends) in LANGUAGES.items() if suffix in ends), None)


def served(registry: Registry) -> list[AgentDefinition]:
    """The agents that can be asked, in the registry's order."""
    return [
        entry.definition
        for entry in registry.entries
        if entry.shadowed_by is None and entry.definition is not None
    ]


def delegates(registry: Registry, path: str, *, without: Iterable[str]) -> list[AgentDefinition]:
    """The agents that a place in a file is offered to."""
    skipped = set(without)
    return [agent for agent in _fitting(registry, path) if agent.slug not in skipped][:MOST]


def _fitting(registry: Registry, path: str) -> list[AgentDefinition]:
    """The agents that fit a file: those for its language first, none for another alone."""
    own = set(LANGUAGES[language][0].split()) if (language := language_of(path)) else set[str]()
    others = {word for words, _ in LANGUAGES.values() for word in words.split()} - own - AMBIGUOUS
    found: list[tuple[bool, AgentDefinition]] = []
    for agent in served(registry):
        words = _words(agent)
        if words & own or not words & others:
            found.append((not words & own, agent))
    # Sorting keeps the registry's order among equals: the workspace's own come first.
    return [agent for _, agent in sorted(found, key=lambda each: each[0])]


def fixers(registry: Registry, ceilings: Policy, path: str) -> list[AgentDefinition]:
    """The agents that may change a file and say that they mend; where none does, all that may."""
    able = [
        agent
        for agent in served(registry)
        if set(agent.tools) & set(WRITING) and may_write((*ceilings, agent.policy), path)
    ]
    saying = [agent for agent in able if _words(agent) & MENDING]
    fitting = _fitting(registry, path)
    return [agent for agent in saying or able if agent in fitting][:2]


def named(registry: Registry, slug: str) -> AgentDefinition | None:
    """The agent of that name, if there is one."""
    return next((agent for agent in served(registry) if agent.slug == slug), None)


def _words(agent: AgentDefinition) -> set[str]:
    said = " ".join((agent.name, agent.description, *agent.capabilities)).lower()
    return set(_WORD.findall(said))
