"""The terminal: the standard library only, until a command needs more."""

import sys


def main(argv: list[str] | None = None) -> int:
    """The exit status of `codexd ARGV…`; `argv` is the process's own where it is `None`."""
    arguments = sys.argv[1:] if argv is None else argv
    # With a stream closed (`>&-`), Python has none, and the next file that is opened would be it.
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from codexd.cli.streams import fill_in

        fill_in()
    try:
        status = _run(arguments)
        # Here and not at the interpreter's end, where nothing could be told of a fault.
        sys.stdout.flush()
    except OSError as fault:
        from codexd.cli.streams import lost

        return lost(fault, arguments)
    return status


def _run(arguments: list[str]) -> int:
    # Editors and scripts ask for the version often: nothing else is imported for it.
    if arguments in (["--version"], ["-V"]):
        from codexd import __version__

        sys.stdout.write(f"codexd {__version__}\n")
        return 0
    if arguments in (["lsp"], ["lsp", "--stdio"]):
        return _lsp(arguments)
    if arguments == ["agents", "list"]:
        from codexd.cli.listing import quickly

        if (status := quickly()) is not None:
            return status
    from codexd.cli.command import run

    return run(arguments)


def _lsp(arguments: list[str]) -> int:
    """`codexd lsp`: an editor waits for it, so nothing of the terminal is imported."""
    import os

    from codexd.daemon.bridge import bridge

    try:
        return bridge(os.environ)
    except Exception as fault:  # noqa: BLE001 - the edge of the process: all ends as a status
        from codexd.cli.command import ended_by

        return ended_by(fault, arguments)
