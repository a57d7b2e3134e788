"""Reads a command line by the table of verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codexd.cli.faults import Misuse
from codexd.cli.verbs import VERBS, Argument, Flag, Verb, groups, verb_named


@dataclass(frozen=True, slots=True)
class Asked:
    """A command line, read: a verb and what was given to it, by the table's names."""

    verb: Verb
    given: dict[str, tuple[str, ...]]

    def has(self, name: str) -> bool:
        """Whether the flag or argument was given."""
        return name in self.given

    def all(self, name: str) -> tuple[str, ...]:
        """Every value given, in order."""
        return self.given.get(name, ())

    def one(self, name: str) -> str | None:
        """The value given, the last one where it was given twice; `None` where none was."""
        values = self.given.get(name)
        return values[-1] if values else None


def find_verb(words: Sequence[str]) -> tuple[Verb | None, str, int]:
    """(verb, what was named, how many `words` that took); the verb is `None` for a group alone."""
    if not words:
        return None, "", 0
    two = " ".join(words[:2])
    if words[0] in groups():
        verb = verb_named(two)
        return (verb, two, 2) if verb else (None, words[0], 1)
    return verb_named(words[0]), words[0], 1


def parse(argv: Sequence[str]) -> Asked:
    """What `argv` asks for. Raises `Misuse` where it fits no row of the table."""
    leading, rest = _leading_flags(list(argv))
    verb, name, n_words = find_verb(rest)
    if verb is None:
        raise _no_verb(name, rest[n_words:])
    words = leading + rest[n_words:]
    given: dict[str, tuple[str, ...]] = {}
    places: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            places += words
            break
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        flag, value = _flag(verb, word)
        if flag.metavar:
            value = _value(verb, flag, value, words)
        elif value is not None:
            raise Misuse("flag-takes-none", flag=flag.name)
        if flag.name in given and not flag.repeats and flag.metavar:
            raise Misuse("flag-twice", flag=flag.name)
        given[flag.name] = (*given.get(flag.name, ()), value or "")
    given |= _placed(verb, places)
    _check_text(given)
    return Asked(verb, given)


def _check_text(given: dict[str, tuple[str, ...]]) -> None:
    """Raises `Misuse` for what no journal could hold; names of files may be any bytes."""
    for name, values in given.items():
        if name in ("--cd", "--output", "PATH"):
            continue
        for value in values:
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Misuse("no-text", name=name) from None


def _leading_flags(words: list[str]) -> tuple[list[str], list[str]]:
    """The flags before the verb, with their values, and the rest."""
    takes_value = {
        name for verb in VERBS for flag in verb.all_flags if flag.metavar for name in _names(flag)
    }
    for i, word in enumerate(words):
        if not word.startswith("-") and not (i and words[i - 1] in takes_value):
            return words[:i], words[i:]
    return words, []


def _names(flag: Flag) -> tuple[str, ...]:
    return (flag.name, flag.short) if flag.short else (flag.name,)


def _flag(verb: Verb, word: str) -> tuple[Flag, str | None]:
    """The flag that `word` names, with the value joined to it (`--x=1`, `-x1`) or `None`."""
    name, equals, value = word.partition("=")
    for flag in verb.all_flags:
        if name in _names(flag):
            return flag, value if equals else None
        if flag.short and not word.startswith("--") and word.startswith(flag.short):
            return flag, word[len(flag.short) :]
    known = [flag.name for flag in verb.all_flags]
    raise Misuse("unknown-flag", flag=name, verb=verb.name, nearest=nearest(name, known))


def _value(verb: Verb, flag: Flag, joined: str | None, words: list[str]) -> str:
    """The value of `flag`, taken from `words` unless it was joined."""
    if joined is None:
        if not words or any(words[0] in _names(other) for other in verb.all_flags):
            raise Misuse("flag-needs-value", flag=flag.name, metavar=flag.metavar)
        joined = words.pop(0)
    if not joined and flag.completes in ("file", "folder"):
        # `-C "$UNSET"`: the empty path would be taken for this folder.
        raise Misuse("flag-needs-value", flag=flag.name, metavar=flag.metavar)
    _check_choice(flag.name, joined, flag.choices)
    return joined


def _placed(verb: Verb, values: list[str]) -> dict[str, tuple[str, ...]]:
    """`values` by the arguments that stand in their places."""
    given: dict[str, tuple[str, ...]] = {}
    for argument in verb.arguments:
        if not values:
            if argument.optional:
                break
            raise Misuse("argument-missing", argument=argument.name, verb=verb.name)
        taken = values if argument.repeats else values[:1]
        values = values[len(taken) :]
        _check_choices(argument, taken)
        given[argument.name] = tuple(taken)
    if values:
        raise Misuse("argument-extra", argument=values[0], verb=verb.name)
    return given


def _check_choices(argument: Argument, values: Sequence[str]) -> None:
    for value in values:
        _check_choice(argument.name, value, argument.choices)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if choices and value not in choices:
        raise Misuse("not-a-choice", name=name, value=value, choices=", ".join(choices))


def _no_verb(name: str, rest: Sequence[str]) -> Misuse:
    if not name:
        return Misuse("no-verb")
    seconds = [verb.name.split()[1] for verb in VERBS if verb.name.startswith(f"{name} ")]
    if not seconds:
        near = nearest(name, [verb.name for verb in VERBS] + list(groups()))
        return Misuse("unknown-verb", verb=name, nearest=near)
    if rest and not rest[0].startswith("-"):
        near = nearest(rest[0], seconds)
        return Misuse("unknown-verb", verb=f"{name} {rest[0]}", nearest=near and f"{name} {near}")
    return Misuse("verb-incomplete", verb=name, choices=", ".join(seconds))


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word most like `word`; empty where none is."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, n=1)), "")
