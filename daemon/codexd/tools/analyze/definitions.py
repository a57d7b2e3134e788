"""What a file offers to others: its outline, and which of it has no docstring."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from pydantic import BaseModel, ConfigDict

from codexd.errors import Severity
from codexd.tools.analyze.code import CodeFile, Weighed, parse
from codexd.tools.analyze.functions import offered
from codexd.tools.interface import Finding

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Definition = FunctionNode | ast.ClassDef

NO_CONTRACT = {"overload", "override", "setter", "deleter"}
"""Decorators under which the docstring stands elsewhere."""


class Entry(BaseModel):
    """One line about one thing of a file, in an outline or a list of dependencies."""

    model_config = ConfigDict(frozen=True)
    path: str
    line: int
    text: str


def docstrings(files: Iterable[CodeFile]) -> Iterator[Weighed]:
    """Public Python classes and functions without a docstring; methods in one finding a class."""
    for file in files:
        if not file.is_python or file.is_test or (tree := parse(file)) is None:
            continue
        inherited = methods_by_class(tree)
        for node in public_definitions(tree):
            # What stands under an `if` or `try` is a stand-in for another version's own.
            if node not in tree.body or says_all_by_its_name(node):
                continue
            if isinstance(node, ast.ClassDef):
                yield from class_without(file, node, inherited)
            elif not ast.get_docstring(node, clean=False):
                yield missing(file, node, f"`{node.name}()` has no docstring", "D103")


def says_all_by_its_name(node: Definition) -> bool:
    """Whether it is an empty class with a base: `class NotFound(Exception): pass`."""
    empty = all(isinstance(statement, ast.Pass) for statement in node.body)
    return isinstance(node, ast.ClassDef) and bool(node.bases) and empty


def class_without(
    file: CodeFile, node: ast.ClassDef, inherited: Callable[[ast.ClassDef], set[str]]
) -> Iterator[Weighed]:
    """What one class lacks, in one finding. What overrides a method has that one's docstring."""
    bare = [
        method.name
        for method in public_methods(node)
        if not ast.get_docstring(method, clean=False) and method.name not in inherited(node)
    ]
    named = ", ".join(bare)
    if not ast.get_docstring(node, clean=False):
        rest = f", nor have its public methods {named}" if bare else ""
        yield missing(file, node, f"class `{node.name}` has no docstring{rest}", "D101")
    elif bare:
        what = "method" if len(bare) == 1 else "methods"
        text = f"class `{node.name}`: no docstring on the public {what} {named}"
        yield missing(file, node, text, "D102")


def methods_by_class(tree: ast.Module) -> Callable[[ast.ClassDef], set[str]]:
    """A function that gives the methods that a class has from the classes of its own file."""
    classes = {node.name: node for node in top_level(tree.body) if isinstance(node, ast.ClassDef)}

    def inherited(node: ast.ClassDef, seen: frozenset[str] = frozenset()) -> set[str]:
        found: set[str] = set()
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in classes and base.id not in seen:
                parent = classes[base.id]
                found |= {method.name for method in public_methods(parent)}
                found |= inherited(parent, seen | {base.id})
        return found

    return inherited


def missing(file: CodeFile, node: Definition, message: str, rule: str) -> Weighed:
    """The finding for one definition; the longer the body, the more it weighs."""
    length = (node.end_lineno or node.lineno) - node.lineno
    column = node.col_offset + len("class " if isinstance(node, ast.ClassDef) else "def ") + 1
    return Weighed(
        length if rule != "D102" else 0,
        Finding(
            path=file.path,
            line=node.lineno,
            column=column,
            severity=Severity.INFORMATION if rule != "D102" else Severity.HINT,
            message=message if len(message) <= 200 else f"{message[:199]}…",
            rule=rule,
        ),
    )


def public_definitions(tree: ast.Module) -> list[Definition]:
    """The public classes and functions at the top of a module, also under its `if` and `try`."""
    exported = exported_names(tree)
    seen: dict[str, Definition] = {}
    for node in top_level(tree.body):
        if exported is None and node.name.startswith("_"):
            continue
        if exported is not None and node.name not in exported:
            continue
        if not (decorators(node) & NO_CONTRACT):
            # Of two versions (one for each branch of an `if`) the first stands for both.
            seen.setdefault(node.name, node)
    return list(seen.values())


def top_level(body: list[ast.stmt]) -> Iterator[Definition]:
    """The definitions that importing a module may make."""
    for node in body:
        if isinstance(node, Definition):
            yield node
        elif isinstance(node, ast.If):
            yield from top_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from top_level([*node.body, *node.orelse, *node.finalbody])
            for handler in node.handlers:
                yield from top_level(handler.body)


def public_methods(node: ast.ClassDef) -> list[FunctionNode]:
    """The methods of a class that others call."""
    return [
        member
        for member in node.body
        if isinstance(member, FunctionNode)
        and not member.name.startswith("_")
        and not decorators(member) & NO_CONTRACT
    ]


def decorators(node: Definition) -> set[str]:
    """The last names of a definition's decorators: `x.setter` gives `setter`."""
    found: set[str] = set()
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Attribute):
            found.add(decorator.attr)
        elif isinstance(decorator, ast.Name):
            found.add(decorator.id)
    return found


def exported_names(tree: ast.Module) -> set[str] | None:
    """What `__all__` lists, where it is a plain list of strings; `None` otherwise."""
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
            and isinstance(node.value, ast.List | ast.Tuple)
        ):
            names = [e.value for e in node.value.elts if isinstance(e, ast.Constant)]
            return {name for name in names if isinstance(name, str)}
    return None


def outline(files: Iterable[CodeFile]) -> Iterator[Entry]:
    """The public classes (with methods) and functions of each file, in the order they stand."""
    for file in files:
        if file.is_test:
            continue
        if file.is_python:
            if (tree := parse(file)) is not None:
                yield from (python_entry(file, node) for node in public_definitions(tree))
            continue
        for one in offered(file):
            yield Entry(path=file.path, line=one.line, text=one.signature)


def python_entry(file: CodeFile, node: Definition) -> Entry:
    """One Python class or function of the outline: what it is called with, what it is about."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        text = f"class {node.name}({bases})" if bases else f"class {node.name}"
        # A property with a setter is two definitions and one name.
        methods = list(dict.fromkeys(method.name for method in public_methods(node)))
        if methods:
            text += f": {', '.join(methods)}"
    else:
        word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        text = f"{word} {node.name}({argument_names(node)})"
    about = first_sentence(ast.get_docstring(node) or "")
    return Entry(path=file.path, line=node.lineno, text=f"{text} — {about}" if about else text)


def argument_names(node: FunctionNode) -> str:
    """The arguments as a caller sees them: names, stars, and `=` where one may be left out."""
    a = node.args
    plain = [*a.posonlyargs, *a.args]
    n_required = len(plain) - len(a.defaults)
    shown = [arg.arg + ("=" if i >= n_required else "") for i, arg in enumerate(plain)]
    if a.vararg:
        shown.append(f"*{a.vararg.arg}")
    elif a.kwonlyargs:
        shown.append("*")
    shown += [
        arg.arg + ("=" if default else "")
        for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)
    ]
    if a.kwarg:
        shown.append(f"**{a.kwarg.arg}")
    return ", ".join(shown)


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line, of at most 80 signs."""
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    whole = sentence + stop.strip()
    return whole if len(whole) <= 80 else f"{whole[:79]}…"
