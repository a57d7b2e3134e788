"""`--help`, written from the table of verbs; the README's list of verbs too."""

from __future__ import annotations

from codexd.cli.text import Text
from codexd.cli.verbs import EVERYWHERE, VERBS, Argument, Flag, Verb
from codexd.words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codexd.words import Lang

# The two widths that our own texts have are told apart here: the tables of wcwidth take longer to
# import than all the rest of this page.
_WIDE_FROM = 0x2E80


def top_help(text: Text) -> str:
    """What `codexd --help` prints."""
    lang = _lang(text)
    flag_word, verb_word = text("usage.flag-word"), text("usage.verb-word")
    lines = [f"codexd: {text('usage.tagline')}", ""]
    lines += [f"{text('usage')} codexd {verb_word} [{flag_word}]", ""]
    lines += [text("usage.verbs"), *_rows([(_head(verb), verb.help) for verb in VERBS], lang), ""]
    lines += [text("usage.everywhere"), *_rows(_flag_rows(EVERYWHERE), lang), ""]
    lines.append(text("usage.more"))
    return "\n".join(lines) + "\n"


def verb_help(verb: Verb, text: Text) -> str:
    """What `codexd VERB --help` prints."""
    lang = _lang(text)
    lines = [verb.help.in_(lang), ""]
    lines.append(f"{text('usage')} codexd {_head(verb)} [{text('usage.flag-word')}]")
    if verb.arguments:
        rows = [(a.name, _with_choices(a.help, a.choices)) for a in verb.arguments]
        lines += ["", text("usage.arguments"), *_rows(rows, lang)]
    if verb.flags:
        lines += ["", text("usage.flags"), *_rows(_flag_rows(verb.flags), lang)]
    lines += ["", text("usage.everywhere"), *_rows(_flag_rows(EVERYWHERE), lang)]
    return "\n".join(lines) + "\n"


def group_help(group: str, text: Text) -> str:
    """What `codexd GROUP --help` prints: its verbs."""
    rows = [(_head(verb), verb.help) for verb in VERBS if verb.name.startswith(f"{group} ")]
    head = f"{text('usage')} codexd {group} {text('usage.verb-word')} [{text('usage.flag-word')}]"
    return "\n".join([head, "", text("usage.verbs"), *_rows(rows, _lang(text))]) + "\n"


def markdown_table(lang: Lang) -> str:
    """The verbs as a table for the README."""
    head = ("| コマンド | |", "|---|---|") if lang == "ja" else ("| verb | |", "|---|---|")
    rows = [f"| `codexd {_head(verb)}` | {verb.help.in_(lang)} |" for verb in VERBS]
    return "\n".join([*head, *rows]) + "\n"


def _lang(text: Text) -> Lang:
    return "ja" if text.lang == "ja" else "en"


def _head(verb: Verb) -> str:
    """`runs show [ID | --last]`."""
    places = [_place(argument, verb) for argument in verb.arguments]
    return " ".join([verb.name, *places])


def _place(argument: Argument, verb: Verb) -> str:
    name = "|".join(argument.choices) or argument.name
    if argument.repeats:
        name += "…"
    if argument.optional and any(flag.name == "--last" for flag in verb.flags):
        name += " | --last"
    return f"[{name}]" if argument.optional else name


def _flag_rows(flags: Sequence[Flag]) -> list[tuple[str, Words]]:
    return [(_flag_head(flag), _with_choices(flag.help, flag.choices)) for flag in flags]


def _flag_head(flag: Flag) -> str:
    short = f"{flag.short}, " if flag.short else "    "
    return f"{short}{flag.name} {flag.metavar}".rstrip()


def _with_choices(help: Words, choices: Sequence[str]) -> Words:
    if not choices:
        return help
    joined = ", ".join(choices)
    return Words(f"{help.en} [{joined}]", f"{help.ja} [{joined}]")


def _rows(rows: Sequence[tuple[str, Words]], lang: Lang) -> list[str]:
    width = max(_cells(head) for head, _ in rows)
    return [f"  {head}{' ' * (width - _cells(head))}  {help.in_(lang)}" for head, help in rows]


def _cells(text: str) -> int:
    return sum(2 if ord(c) >= _WIDE_FROM else 1 for c in text)
