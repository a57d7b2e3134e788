"""One command, from its arguments to its exit status; every fault ends here."""

from __future__ import annotations

import os
import sys

from codexd.cli.text import Text, language

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from codexd.cli.door import Door


def run(argv: list[str]) -> int:
    """Do what `argv` asks for and give the exit status.

    Raises `OSError` where the process's streams cannot be written to.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign gets `?` for it, never a traceback.
        stream.reconfigure(errors="replace")  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
    text = Text(language(argv, os.environ))
    status = _help(argv, text)
    return _act(argv, text) if status is None else status


def _help(argv: list[str], text: Text) -> int | None:
    """Print the help that `argv` asks for; `None` where it asks for none."""
    before = argv[: argv.index("--")] if "--" in argv else argv
    wanted = "--help" in before or "-h" in before or argv[:1] == ["help"]
    if not wanted and argv:
        return None
    from codexd.cli.usage import group_help, top_help, verb_help
    from codexd.cli.verbs import groups, verb_named

    words = [word for word in before if not word.startswith("-") and word != "help"]
    verb = verb_named(" ".join(words[:2])) or verb_named(words[0]) if words else None
    if verb:
        sys.stdout.write(verb_help(verb, text))
    elif words and words[0] in groups():
        sys.stdout.write(group_help(words[0], text))
    else:
        # No word at all is a mistake that scripts must notice.
        (sys.stdout if wanted else sys.stderr).write(top_help(text))
    return 0 if wanted else 2


def _act(argv: list[str], text: Text) -> int:
    """Parse `argv`, import its verb's function and run it; faults become statuses."""
    from codexd.cli.streams import forgiving

    sys.stderr = forgiving(sys.stderr)
    try:
        from codexd.cli.door import door_of
        from codexd.cli.parse import parse

        asked = parse(argv)
        return handler(asked.verb.handler)(door_of(asked, text))
    except BrokenPipeError:
        raise
    except BaseException as fault:  # noqa: BLE001 - the edge of the process: all ends as a status
        return _told(fault, argv, text)


def ended_by(fault: BaseException, argv: list[str]) -> int:
    """Tell of `fault`, which ended `codexd ARGV…`; the exit status."""
    return _told(fault, argv, Text(language(argv, os.environ)))


def handler(spelling: str) -> Callable[[Door], int]:
    """The function that a row of the table names: `module:function` under `codexd.cli`."""
    from importlib import import_module

    module, _, name = spelling.partition(":")
    return getattr(import_module(f"codexd.cli.{module}"), name)


def _told(fault: BaseException, argv: list[str], text: Text) -> int:
    """Tell of `fault` on stderr (and as JSON on stdout where that was asked for)."""
    from codexd.cli.faults import CANCELLED, FAILED, foreseen, lines_of, message_of, status_of
    from codexd.errors import leaves

    parts = list(leaves(fault))
    if any(isinstance(part, BrokenPipeError) for part in parts):
        raise BrokenPipeError from fault
    if any(isinstance(part, KeyboardInterrupt) for part in parts):
        return CANCELLED
    if any(isinstance(part, SystemExit | GeneratorExit) for part in parts):
        raise fault
    known = foreseen(fault)
    if known is None:
        return _crashed(parts[0], text) or FAILED
    if "--json" in argv:
        import json

        message, help = message_of(known, text)
        error = {"type": type(known).__name__, "message": message, "help": help}
        sys.stdout.write(json.dumps({"error": error}, ensure_ascii=False, indent=2) + "\n")
    _say(lines_of(known, text))
    return status_of(known)


def _crashed(fault: BaseException, text: Text) -> int:
    if isinstance(fault, OSError):
        if fault.filename is None:
            raise fault
        _say([f"{text('error')} {fault.filename}: {fault.strerror}"])
    else:
        what = text("internal", what=f"{type(fault).__name__}: {fault}")
        _say([f"{text('error')} {what}", f"{text('help')} {text('internal.help')}"])
    if os.environ.get("CODEXD_DEBUG"):
        import traceback

        traceback.print_exception(fault, file=sys.stderr)
    return 1


def _say(lines: list[str]) -> None:
    from codexd.cli.columns import clean

    sys.stdout.flush()
    broken = [part for line in lines for part in line.splitlines()]
    sys.stderr.write("".join(f"{clean(line)}\n" for line in broken))
