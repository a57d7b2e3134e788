"""`python -m codexd.daemon ROOT READY STARTING`: what `attach.py` starts, and nobody else."""

from __future__ import annotations

import sys

from codexd.daemon.detach import detach


def main(argv: list[str]) -> int:
    """Be the daemon of the workspace at ROOT; the descriptor READY is told when it is one."""
    root, ready, starting = argv[0], int(argv[1]), int(argv[2])
    detach(keep=(ready, starting))
    from codexd.daemon.process import run

    return run(root, ready=ready, starting=starting)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
