"""Agent files as a language: what an editor shows of one, from the unsaved text.

Pure functions over a `Buffer` and the `Facts`; a path completion alone looks into one folder.
"""

from codexd.lsp.agentfiles.actions import actions
from codexd.lsp.agentfiles.complete import complete
from codexd.lsp.agentfiles.definition import definition
from codexd.lsp.agentfiles.diagnose import diagnose, of_concern, to_lsp
from codexd.lsp.agentfiles.facts import Client, Facts, LastRun, origin_of
from codexd.lsp.agentfiles.hover import hover
from codexd.lsp.agentfiles.lenses import lenses
from codexd.lsp.agentfiles.symbols import symbols

__all__ = [
    "Client",
    "Facts",
    "LastRun",
    "actions",
    "complete",
    "definition",
    "diagnose",
    "hover",
    "lenses",
    "of_concern",
    "origin_of",
    "symbols",
    "to_lsp",
]
