"""The terminal: the standard library only, until a command needs more."""

import sys


def main(argv: list[str] | None = None) -> int:
    """The exit status of `codexd ARGV…`; `argv` is the process's own where it is `None`."""
    arguments = sys.argv[1:] if argv is None else argv
    # Editors and scripts ask for the version often: nothing else is imported for it.
    if arguments in (["--version"], ["-V"]):
        from codexd import __version__

        sys.stdout.write(f"codexd {__version__}\n")
        return 0
    from codexd.cli.command import run

    return run(arguments)
