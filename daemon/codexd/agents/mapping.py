"""What an agent file asks for, as a layer of policy and a list of tools (`sandbox.md`, the table).

A dialect collects an `Asks`; here it is checked, bounded and made into a `Layer`, whose every
grant names the line that asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from codexd.agents.sheet import Sheet
from codexd.agents.toolnames import BUILT_IN, READING, WRITING
from codexd.errors import Denied, Severity, Source
from codexd.policy import Approval, Grant, Layer
from codexd.policy.commands import parse as parse_command
from codexd.policy.hosts import Rule, rule_of, unreachable
from codexd.policy.paths import normal, subsumes

WORKSPACE = "./"
"""The grant of the whole workspace, protected names left aside."""

WIDE = ("*", "full")
"""Grants of every program."""

NO_TIER = (
    "no sandbox tier is in force yet: not granted unless your own configuration says "
    '`sandbox = "none"`'
)
UNHELD = (
    "any program: only a sandbox could hold that, and no tier is in force yet: not granted; "
    "name commands (`git diff`) instead"
)


@dataclass(slots=True)
class Asks:
    """What a file asks for, in its own words. `None` is: nothing is said."""

    tools: list[str] = field(default_factory=list[str])
    """Canonical names, in the author's order."""
    read: list[Grant] | None = None
    write: list[Grant] = field(default_factory=list[Grant])
    exec: list[Grant] = field(default_factory=list[Grant])
    net: list[Grant] = field(default_factory=list[Grant])
    net_sub: list[Grant] = field(default_factory=list[Grant])
    filesystem: list[Grant] | None = None
    """Bounds reading and writing; with a write tool and no `write`, it grants writing."""
    network: list[Grant] | None = None
    """Bounds `net`, and grants it where `net` says nothing."""
    artifacts: tuple[Grant, ...] = ()
    denied: dict[str, Source] = field(default_factory=dict[str, Source])
    """Canonical names of tools that it shall not have."""
    approval: Approval | None = None


def layer_of(name: str, source: Source, asks: Asks) -> Layer:
    """The layer of policy that `asks`, already checked and bounded, comes to."""
    read = asks.read
    if asks.filesystem:
        read = asks.filesystem
    elif asks.filesystem is not None and asks.read is None:
        read = [Grant(WORKSPACE, source)]
    # A subtraction holds for children as well, and so it stands in the layer; what is merely not
    # listed does not: the definition's own list says what is offered.
    tools = None
    if asks.denied:
        first = next(iter(asks.denied.values()))
        tools = tuple(Grant(tool, first) for tool in BUILT_IN if tool not in asks.denied)
    return Layer(
        name=f"agent {name}",
        source=source,
        read=None if read is None else tuple(read),
        write=(*asks.write, *asks.artifacts),
        exec=tuple(asks.exec),
        net=tuple(asks.net),
        net_sub=tuple(asks.net_sub),
        tools=tools,
        approval=asks.approval,
    )


def tools_of(asks: Asks) -> tuple[str, ...]:
    """The author's tools and those by which an agent reports, without those taken away."""
    names = dict.fromkeys((*asks.tools, "report_finding", "update_plan"))
    return tuple(name for name in names if name not in asks.denied)


def add_needed(asks: Asks) -> None:
    """Add the tools without which the grants would be of no use.

    For dialects that grant paths, hosts and commands apart from tools.
    """
    reads = asks.read or asks.filesystem is not None
    if reads and not set(READING) & set(asks.tools):  # an author who lists some wants no others
        asks.tools += ("read_file", "list_dir", "glob", "grep")
    if asks.write:
        asks.tools += WRITING
    if asks.artifacts:
        asks.tools.append("write_file")
    if asks.net:
        asks.tools.append("web_fetch")
    if asks.exec:
        asks.tools.append("shell")


def bound(sheet: Sheet, asks: Asks) -> None:
    """Take out of `asks` what its own `permissions` do not allow, with a remark on each."""
    roots = asks.filesystem
    if roots is not None:
        if not asks.write and set(WRITING) & set(asks.tools):
            asks.write = list(roots)
        asks.write = _within(sheet, asks.write, lambda grant: _deeper(grant, roots), "filesystem")
    hosts = asks.network
    if hosts is not None:
        asks.net = _within(
            sheet, asks.net or hosts, lambda grant: _reachable(grant, hosts), "network"
        )


def _within(
    sheet: Sheet, grants: Iterable[Grant], narrowed: Callable[[Grant], list[Grant]], by: str
) -> list[Grant]:
    kept: dict[Grant, None] = {}
    for grant in grants:
        inside = narrowed(grant)
        kept.update(dict.fromkeys(inside))
        if not inside:
            message = (
                f"`{grant.value}` is not granted: `policies.permissions.{by}` does not hold it"
            )
            sheet.remark_on(grant, Severity.WARNING, message, code="not-granted")
    return list(kept)


def _deeper(grant: Grant, roots: Iterable[Grant]) -> list[Grant]:
    """What `grant` and `roots` have in common, as far as one holds the other."""
    if any(subsumes(root.value, grant.value) for root in roots):
        return [grant]
    return [root for root in roots if subsumes(grant.value, root.value)]


def _reachable(grant: Grant, hosts: Iterable[Grant]) -> list[Grant]:
    rule = rule_of(grant.value)
    if any(_holds(rule_of(host.value), rule) for host in hosts):
        return [grant]
    return [host for host in hosts if _holds(rule, rule_of(host.value))]


def _holds(wide: Rule, narrow: Rule) -> bool:
    """Whether all that `narrow` covers is surely covered by `wide`."""
    below = wide.host.startswith("*.") and narrow.host.endswith(wide.host[1:])
    return (
        wide.scheme == narrow.scheme
        and wide.port in (None, narrow.port)
        and wide.path in ("/*", narrow.path)
        and (wide.host in ("*", narrow.host) or below)
    )


def bound_programs(sheet: Sheet, asks: Asks) -> None:
    """Remark on the hosts of programs that `net` does not hold, and on those that nothing can."""
    held: list[Grant] = []
    for grant in asks.net_sub:
        rule = rule_of(grant.value)
        if rule.host == "*" or rule.path != "/*":
            what = "a bare `*`" if rule.host == "*" else "a path"
            message = (
                f"`{grant.value}` cannot be honoured: hosts of programs are held without {what}"
            )
            sheet.remark_on(grant, Severity.WARNING, message, code="not-honoured")
        elif not any(_holds(rule_of(host.value), rule) for host in asks.net):
            message = f"`{grant.value}` is not granted: `net.allow` does not hold it"
            sheet.remark_on(grant, Severity.WARNING, message, code="not-granted")
        else:
            held.append(grant)
    if held:
        message = (
            "programs reach no host: only a sandbox could hold that, and no tier is in force yet"
        )
        sheet.remark_on(held[0], Severity.INFORMATION, message, code="no-tier")


# --- one item of a list -----------------------------------------------------------------------


def path_fault(value: str) -> str:
    """Why `value` is no path or pattern inside the workspace; empty where it is one."""
    return _fault(normal, value)


def host_fault(value: str) -> str:
    """Why `value` is no grant of hosts; empty where it is one."""
    return _fault(rule_of, value)


def hosts(sheet: Sheet, grants: Iterable[Grant] | None) -> list[Grant]:
    """Those of `grants` that are grants of hosts; one that nothing can match gets a warning."""
    kept = checked(sheet, grants, host_fault)
    for grant in kept:
        if why := unreachable(grant.value):
            message = f"nothing is reached through `{grant.value}`: {why}"
            sheet.remark_on(grant, Severity.WARNING, message, code="unreachable-host")
    return kept


def command_fault(value: str) -> str:
    """Why `value` is no command's first words; empty where it is."""
    if value in WIDE:
        return ""
    fault = _fault(parse_command, value)
    if not fault and parse_command(value) != tuple(value.split()):
        return "quotes have no meaning in a grant; write the first words of the command"
    return fault


def _fault(check: Callable[[str], object], value: str) -> str:
    try:
        check(value)
    except Denied as denied:
        return f"{denied}; {denied.help}" if denied.help else str(denied)
    return ""


def checked(
    sheet: Sheet, grants: Iterable[Grant] | None, fault_of: Callable[[str], str]
) -> list[Grant]:
    """Those of `grants` without a fault; each of the others is an error where it stands."""
    kept: list[Grant] = []
    for grant in grants or ():
        fault = fault_of(grant.value)
        if fault:
            sheet.remark_on(grant, Severity.ERROR, fault, code="bad-grant")
        else:
            kept.append(grant)
    return kept
