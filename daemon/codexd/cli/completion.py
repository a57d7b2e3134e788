"""Completion scripts for bash, zsh and fish, written from the table of verbs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codexd.cli.door import Door
from codexd.cli.verbs import VERBS, Argument, Completes, Flag, Verb, groups

# What a shell runs to learn agents' names and runs' ids; silent where there are none.
_ASKS = {
    "agent": "codexd agents list --names 2>/dev/null",
    "agents": "codexd agents list --names 2>/dev/null",
    "run": "codexd runs list --ids 2>/dev/null",
}


def script(shell: str) -> str:
    """The completion script for `shell`: `bash`, `zsh` or `fish`."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def completion(door: Door) -> int:
    """`codexd completion SHELL`."""
    shell = door.asked.one("SHELL") or "bash"
    if door.json:
        door.give({"shell": shell, "script": script(shell)})
    else:
        door.show(script(shell).splitlines())
    return 0


def _words(verb: Verb) -> list[str]:
    return [name for flag in verb.all_flags for name in (flag.name, flag.short) if name]


def _names(flag: Flag) -> str:
    return "|".join(name for name in (flag.short, flag.name) if name)


def _seconds(group: str) -> list[str]:
    return [verb.name.split()[1] for verb in VERBS if verb.name.startswith(f"{group} ")]


def _firsts() -> list[str]:
    return list(dict.fromkeys(verb.name.split()[0] for verb in VERBS))


# --- bash ------------------------------------------------------------------------------------


def _bash() -> str:
    lines = [
        '# codexd completion for bash: eval "$(codexd completion bash)"',
        "_codexd() {",
        '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"',
        '    local first="${COMP_WORDS[1]}" verb="${COMP_WORDS[1]}" place=2',
        "    COMPREPLY=()",
        "    if (( COMP_CWORD == 1 )); then",
        f"        {_bash_choice([*_firsts(), '--help', '--version'])}",
        "        return",
        "    fi",
        '    case "$first" in',
    ]
    for group in groups():
        lines += [
            f"        {group})",
            "            if (( COMP_CWORD == 2 )); then",
            f"                {_bash_choice(_seconds(group))}",
            "                return",
            "            fi",
            '            verb="$first ${COMP_WORDS[2]}" place=3 ;;',
        ]
    lines += ["    esac", '    case "$verb" in']
    for verb in VERBS:
        lines += [f'        "{verb.name}")', *_bash_verb(verb), "            ;;"]
    lines += [
        "    esac",
        "}",
        "complete -F _codexd codexd",
    ]
    return "\n".join(lines) + "\n"


def _bash_verb(verb: Verb) -> Iterator[str]:
    indent = " " * 12
    yield f'{indent}case "$prev" in'
    for flag in verb.all_flags:
        if flag.metavar:
            values = _bash_values(flag.completes, flag.choices)
            yield f"{indent}    {_names(flag)}) {values}; return ;;"
    yield f"{indent}esac"
    yield f'{indent}if [[ "$cur" == -* ]]; then'
    yield f"{indent}    {_bash_choice(_words(verb))}"
    yield f"{indent}else"
    argument = verb.arguments[0] if verb.arguments else None
    values = _bash_values(argument.completes, argument.choices) if argument else ":"
    only_first = argument is not None and not argument.repeats
    yield (
        f"{indent}    (( COMP_CWORD == place )) && {values}"
        if only_first
        else f"{indent}    {values}"
    )
    yield f"{indent}fi"


def _bash_choice(words: Sequence[str]) -> str:
    return f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$cur"))'


def _bash_values(completes: Completes, choices: tuple[str, ...]) -> str:
    if choices:
        return _bash_choice(choices)
    match completes:
        case "file":
            return 'COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null'
        case "folder":
            return 'COMPREPLY=($(compgen -d -- "$cur")); compopt -o filenames 2>/dev/null'
        case "agent" | "run":
            return f'COMPREPLY=($(compgen -W "$({_ASKS[completes]})" -- "$cur"))'
        case "agents":
            # After a comma the names before it stay as they are.
            return (
                'local head=""; [[ "$cur" == *,* ]] && head="${cur%,*},"; '
                f'COMPREPLY=($(compgen -P "$head" -W "$({_ASKS[completes]})" -- "${{cur##*,}}")); '
                "compopt -o nospace 2>/dev/null"
            )
        case _:
            return ":"


# --- zsh -------------------------------------------------------------------------------------


def _zsh() -> str:
    lines = [
        "#compdef codexd",
        "# codexd completion for zsh: source <(codexd completion zsh)",
        "_codexd() {",
        "    local verb=$words[2]",
        "    if (( CURRENT == 2 )); then",
        "        local -a verbs=(",
        *(f"            {_zsh_pair(name, help)}" for name, help in _first_helps()),
        "        )",
        "        _describe verb verbs",
        "        return",
        "    fi",
        "    case $verb in",
    ]
    for group in groups():
        lines += [
            f"        {group})",
            "            if (( CURRENT == 3 )); then",
            "                local -a verbs=(",
            *(
                f"                    {_zsh_pair(verb.name.split()[1], verb.help.en)}"
                for verb in VERBS
                if verb.name.startswith(f"{group} ")
            ),
            "                )",
            "                _describe verb verbs",
            "                return",
            "            fi",
            '            verb="$verb $words[3]"',
            "            shift words; (( CURRENT-- )) ;;",
        ]
    lines += ["    esac", "    shift words; (( CURRENT-- ))", "    case $verb in"]
    for verb in VERBS:
        specs = [_zsh_flag(flag) for flag in verb.all_flags]
        specs += [_zsh_place(argument) for argument in verb.arguments]
        lines.append(f'        "{verb.name}") _arguments {" ".join(specs)} ;;')
    lines += [
        "    esac",
        "}",
        # Sourced, it registers itself; autoloaded from fpath, it is the function's body.
        'if [[ $funcstack[1] == _codexd ]]; then _codexd "$@"; else compdef _codexd codexd; fi',
    ]
    return "\n".join(lines) + "\n"


def _first_helps() -> Iterator[tuple[str, str]]:
    for first in _firsts():
        whole = next((verb.help.en for verb in VERBS if verb.name == first), None)
        yield first, whole or ", ".join(_seconds(first))


def _zsh_pair(name: str, help: str) -> str:
    return _quoted(f"{name}:" + help.replace(":", "\\:"))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_flag(flag: Flag) -> str:
    help = flag.help.en.replace("[", "(").replace("]", ")").replace(":", "\\:")
    value = f":{flag.metavar}:{_zsh_values(flag.completes, flag.choices)}"
    tail = f"[{help}]" + (value if flag.metavar else "")
    names = [name for name in (flag.short, flag.name) if name]
    star = "*" if flag.repeats else ""
    return " ".join(_quoted(f"{star}{name}{tail}") for name in names)


def _zsh_place(argument: Argument) -> str:
    star = "*" if argument.repeats else ""
    colons = "::" if argument.optional and not argument.repeats else ":"
    values = _zsh_values(argument.completes, argument.choices)
    return _quoted(f"{star}{colons}{argument.name}:{values}")


def _zsh_values(completes: Completes, choices: tuple[str, ...]) -> str:
    if choices:
        return f"({' '.join(choices)})"
    match completes:
        case "file":
            return "_files"
        case "folder":
            return "_files -/"
        case "agent" | "run":
            return f"{{compadd -- $({_ASKS[completes]})}}"
        case "agents":
            return f"{{compset -P '*,'; compadd -S '' -- $({_ASKS[completes]})}}"
        case _:
            return " "


# --- fish ------------------------------------------------------------------------------------


def _fish() -> str:
    lines = [
        "# codexd completion for fish: codexd completion fish | source",
        "function __codexd_verb",
        "    set -l words (commandline -opc) ''",
        '    if contains -- "$words[2]" ' + " ".join(groups()),
        '        echo "$words[2] $words[3]"',
        "    else",
        '        echo "$words[2]"',
        "    end",
        "end",
        "function __codexd_agents",
        "    set -l head (string match -r '^.*,' -- (commandline -ct))",
        f"    for name in ({_ASKS['agents']}); echo $head$name; end",
        "end",
        "complete -c codexd -f",
    ]
    top = "test (count (commandline -opc)) -eq 1"
    for name, help in _first_helps():
        lines.append(f"complete -c codexd -n {_quoted(top)} -a {name} -d {_quoted(help)}")
    for group in groups():
        two = f'test (count (commandline -opc)) -eq 2; and test (__codexd_verb) = "{group} "'
        lines += [
            f"complete -c codexd -n {_quoted(two)} -a {verb.name.split()[1]}"
            f" -d {_quoted(verb.help.en)}"
            for verb in VERBS
            if verb.name.startswith(f"{group} ")
        ]
    for verb in VERBS:
        when = _quoted(f'test (__codexd_verb) = "{verb.name}"')
        for flag in verb.all_flags:
            short = f" -s {flag.short[1:]}" if flag.short else ""
            values = _fish_values(flag.completes, flag.choices) if flag.metavar else ""
            # Without `-x` fish offers files beside the values.
            takes = (" -r" if flag.completes == "file" else " -x") if flag.metavar else ""
            lines.append(
                f"complete -c codexd -n {when}{short} -l {flag.name[2:]}{takes}{values}"
                f" -d {_quoted(flag.help.en)}"
            )
        lines += [
            f"complete -c codexd -n {when}{_fish_values(argument.completes, argument.choices)}"
            for argument in verb.arguments
            if argument.completes or argument.choices
        ]
    return "\n".join(lines) + "\n"


def _fish_values(completes: Completes, choices: tuple[str, ...]) -> str:
    if choices:
        return f" -a {_quoted(' '.join(choices))}"
    match completes:
        case "file":
            return " -F"
        case "folder":
            return " -a '(__fish_complete_directories)'"
        case "agent" | "run":
            return f" -a {_quoted(f'({_ASKS[completes]})')}"
        case "agents":
            return " -a '(__codexd_agents)'"
        case _:
            return ""
