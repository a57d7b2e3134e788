"""What the code needs from elsewhere: as its manifests declare it, else as its imports show it."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codexd.tools.analyze.code import CodeFile, parse
from codexd.tools.analyze.definitions import Entry

REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*([^;#]*)")
GO_MODULE = re.compile(r"^\s*(?:require\s+)?([\w.-]+\.[\w./~-]+)\s+(v[\w.+-]+)", re.MULTILINE)
REQUIREMENTS_FILE = re.compile(r"(^|/)(requirements[^/]*|constraints[^/]*)\.(txt|in)$")


PYTHON_2 = {
    "__builtin__", "anydbm", "commands", "ConfigParser", "Cookie", "cookielib", "cPickle",
    "cStringIO", "dummy_thread", "HTMLParser", "httplib", "imp", "itertools", "md5", "Queue",
    "sets", "SocketServer", "StringIO", "thread", "Tkinter", "urllib2", "urlparse", "UserDict",
    "xmlrpclib",
}  # fmt: skip
"""Modules that Python itself had once, and that code for both versions still names."""


def dependencies(files: Sequence[CodeFile]) -> list[Entry]:
    """Every package declared (`requests >=2.31`) and, where no manifest declares any for Python,
    each that a Python file imports.
    """
    found: list[Entry] = []
    python_declared = False
    for file in files:
        kind, entries = declared(file)
        # Of one package in several groups, each version once.
        found += dict.fromkeys(entries)
        python_declared = python_declared or (kind == "python" and bool(entries))
    if not python_declared:
        found += imported(files)
    return sorted(found, key=lambda one: (one.path, one.text.lower()))


def is_manifest(path: str) -> bool:
    """Whether a file declares dependencies."""
    name = path.rpartition("/")[2]
    return name in READERS or REQUIREMENTS_FILE.search(path) is not None


def declared(file: CodeFile) -> tuple[str, list[Entry]]:
    """What kind of manifest this is, and its packages; nothing where it does not parse."""
    name = file.path.rpartition("/")[2]
    reader = READERS.get(name) or (requirements if REQUIREMENTS_FILE.search(file.path) else None)
    if reader is None:
        return "", []
    try:
        kind, pairs = reader(file.text)
    except (ValueError, AttributeError, TypeError):  # what a broken or odd manifest gives
        return "", []
    return kind, [
        Entry(path=file.path, line=line_of(name, file.text), text=f"{name} {version}".strip())
        for name, version in pairs
    ]


Pairs = tuple[str, list[tuple[str, str]]]


def requirements(text: str) -> Pairs:
    """A pip requirements file; options and URLs aside."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith(("-", "#")))
    # With hashes a requirement goes on behind a backslash.
    return "python", [split(line.rstrip(" \\")) for line in lines if REQUIREMENT.match(line)]


def pyproject(text: str) -> Pairs:
    """`[project]`, its extras, dependency groups, and Poetry's tables."""
    data = tomllib.loads(text)
    project = table(data, "project")
    written: list[Any] = list(project.get("dependencies", []))
    for group in (table(project, "optional-dependencies"), table(data, "dependency-groups")):
        written += [one for group_list in group.values() for one in group_list]
    pairs = [split(one) for one in written if isinstance(one, str)]
    poetry = table(table(data, "tool"), "poetry")
    for key, value in table(poetry, "dependencies").items():
        if key != "python":
            pairs.append((key, version_in(value)))
    return "python", pairs


def package_json(text: str) -> Pairs:
    """The four tables of npm."""
    data = json.loads(text)
    keys = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
    return "npm", [(k, str(v)) for key in keys for k, v in table(data, key).items()]


def cargo(text: str) -> Pairs:
    """Cargo's three tables, and the workspace's."""
    data = tomllib.loads(text)
    keys = ("dependencies", "dev-dependencies", "build-dependencies")
    tables = [table(data, key) for key in keys]
    tables.append(table(table(data, "workspace"), "dependencies"))
    return "cargo", [(k, version_in(v)) for one in tables for k, v in one.items()]


def go_mod(text: str) -> Pairs:
    """The `require` lines."""
    return "go", GO_MODULE.findall(text)


READERS = {
    "pyproject.toml": pyproject,
    "package.json": package_json,
    "Cargo.toml": cargo,
    "go.mod": go_mod,
}


def table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The table under a key; an empty one where there is none."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def split(requirement: str) -> tuple[str, str]:
    """Name and version of `requests[socks] >= 2.31`."""
    match = REQUIREMENT.match(requirement)
    return (match[1], match[2]) if match else (requirement, "")


def version_in(value: Any) -> str:
    """The version of `"1.2"` and of `{version = "1.2", …}`; else where it comes from."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        keys = ("version", "git", "path")
        return next((str(value[key]) for key in keys if key in value), "")  # pyright: ignore[reportUnknownArgumentType]
    return ""


def line_of(name: str, text: str) -> int:
    """The first line that names a package."""
    whole = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    return next((n for n, line in enumerate(text.splitlines(), 1) if whole.search(line)), 1)


def imported(files: Sequence[CodeFile]) -> Iterator[Entry]:
    """The top-level modules that Python files import and that are neither theirs nor Python's."""
    own = {part for file in files for part in file.path.removesuffix(".py").split("/")}
    seen: set[str] = set()
    for file in files:
        tree = parse(file) if file.is_python else None
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            else:
                continue
            for name in (one.partition(".")[0] for one in names):
                if name in seen | own | PYTHON_2 or name in sys.stdlib_module_names:
                    continue
                seen.add(name)
                yield Entry(path=file.path, line=node.lineno, text=name)
