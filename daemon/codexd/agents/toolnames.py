"""The names of the built-in tools and their aliases: agent files may use either."""

from __future__ import annotations

READING = (
    "read_file",
    "list_dir",
    "glob",
    "grep",
    "codebase_search",
    "analyze",
    "git_status",
    "git_diff",
    "git_log",
    "git_show",
    "git_blame",
)
WRITING = ("write_file", "apply_patch")
ACTING = ("report_finding", "update_plan", "delegate")
"""Act on their run; performed by the loop."""
REACHING = ("shell", "web_fetch", "web_search")

BUILT_IN = READING + WRITING + REACHING + ACTING

ALIASES = {
    "write": "write_file",
    "search_replace": "apply_patch",
    "glob_file_search": "glob",
    "bash": "shell",
    **{f"codex_{name}": name for name in BUILT_IN},
    "codex_write": "write_file",
    "codex_search_replace": "apply_patch",
    "codex_glob_file_search": "glob",
    "codex_bash": "shell",
}


def canonical(name: str) -> str | None:
    """The built-in tool that `name` means, or `None`."""
    return name if name in BUILT_IN else ALIASES.get(name)


CLAUDE: dict[str, tuple[str, ...]] = {
    "read": ("read_file",),
    "notebookread": ("read_file",),
    "ls": ("list_dir",),
    "glob": ("glob",),
    "grep": ("grep",),
    "write": ("write_file",),
    "edit": ("apply_patch",),
    "multiedit": ("apply_patch",),
    "bash": ("shell",),
    "webfetch": ("web_fetch",),
    "websearch": ("web_search",),
    "task": ("delegate",),
    "agent": ("delegate",),
    "todowrite": ("update_plan",),
    "todoread": ("update_plan",),
    **dict.fromkeys(
        (
            "notebookedit", "bashoutput", "killbash", "killshell", "exitplanmode", "skill",
            "slashcommand", "askuserquestion", "lsp",
        ),
        (),
    ),
}  # fmt: skip
"""Claude's names in lower case, and the built-in tools that serve; none where none does."""

CLAUDE_SPELLED = (
    "Read", "Grep", "Glob", "LS", "Edit", "MultiEdit", "Write", "Bash", "WebFetch", "WebSearch",
    "TodoWrite", "Task",
)  # fmt: skip
"""Those of Claude's names that something serves for, as Claude writes them."""

_FIND = ("codebase_search", "grep", "glob", "list_dir")
VSCODE: dict[str, tuple[str, ...]] = {
    "codebase": ("codebase_search",),
    "search": _FIND,
    "textsearch": ("grep",),
    "filesearch": ("glob",),
    "searchresults": ("grep",),
    "listdirectory": ("list_dir",),
    "findtestfiles": ("glob",),
    "usages": ("grep",),
    "read": ("read_file", "list_dir"),
    "readfile": ("read_file",),
    "changes": ("git_status", "git_diff"),
    "problems": ("analyze",),
    "edit": ("apply_patch", "write_file"),
    "editfiles": ("apply_patch", "write_file"),
    "createfile": ("write_file",),
    "execute": ("shell",),
    "runcommands": ("shell",),
    "runinterminal": ("shell",),
    "fetch": ("web_fetch",),
    "web": ("web_fetch", "web_search"),
    "websearch": ("web_search",),
    "agent": ("delegate",),
    "runsubagent": ("delegate",),
    "todo": ("update_plan",),
    "todos": ("update_plan",),
    **dict.fromkeys(
        (
            "extensions", "githubrepo", "vscodeapi", "opensimplebrowser", "new", "newworkspace",
            "runnotebooks", "runtasks", "runtask", "createandruntask", "runtests", "testfailure",
            "terminallastcommand", "terminalselection", "getterminaloutput", "selection",
            "editnotebook", "createdirectory", "createjupyternotebook", "think", "vscode",
        ),
        (),
    ),
}  # fmt: skip
"""VS Code's names in lower case, likewise; of `search/codebase` the last part counts."""

VSCODE_SPELLED = (
    "search", "codebase", "textSearch", "fileSearch", "listDirectory", "usages", "readFile",
    "changes", "problems", "edit", "editFiles", "createFile", "runCommands", "fetch", "webSearch",
    "todos", "runSubagent",
)  # fmt: skip
"""Those of VS Code's names that something serves for, as VS Code writes them."""
