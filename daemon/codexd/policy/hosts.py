"""Which URLs an agent may reach. Pure: a URL and the address it resolved to in, a decision out.

A URL is taken apart once, strictly, into a `Target`; whoever connects must use `Target.url`, so
that what was decided and what is asked for are the same. A grant is `scheme://host[:port][/path]`:
no path and `/*` are the whole host, no port the scheme's own, `:*` any; the host may be
`*.domain` (below it, not itself) or `*` (any public host). Whatever the grant says, an address
that is not public (private, loopback, link-local, metadata) is reached only where a grant spells
the address itself; `localhost` spells the loopback ones. A repository's grant alone does not.
"""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from codexd.errors import Denied
from codexd.policy.layers import NAME_IT, Decision, Grant, Policy, Verdict, decide, opened

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """One URL, taken apart."""

    scheme: str
    host: str
    """Lower case ASCII, no trailing dot; an IPv6 address without its brackets."""
    port: int
    path: str
    """Without dot segments; at least `/`."""
    query: str
    """With its `?`, or empty."""

    @property
    def address(self) -> Address | None:
        """The address that the host spells; `None` for a name."""
        return _address(self.host)

    @property
    def url(self) -> str:
        """The URL to ask for: the one that was decided on."""
        return f"{self.origin}{self.path}{self.query}"

    @property
    def origin(self) -> str:
        """`https://docs.rs`, with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def may_reach(
    policy: Policy, url: str, address: str | None = None, *, own_ports: Collection[int] = ()
) -> Decision:
    """Whether `url` may be asked for by our own web tools, at `address` where it is known.

    Ask twice: before its name is resolved, and with the address that is then used; again at each
    redirect. `own_ports` are codexd's own: never reached on a loopback address.
    """
    try:
        target = target_of(url)
    except Denied as refused:
        return Decision(Verdict.DENY, str(refused), "hosts")
    real = target.address if address is None else _address(address)
    if address is not None and real is None:
        return Decision(Verdict.DENY, f"`{address}` is no address", "hosts")
    asked = f"to reach {target.origin}"
    by_name = decide(
        policy, "net", asked, lambda grant: covers(grant, target), add=f"{target.origin}/*"
    )
    if real is None or is_public(real) or not by_name:
        return by_name
    if not address_allowed(str(real), granted=True):
        return Decision(Verdict.DENY, f"{target.host} is at {real}, which is no host", "hosts")
    if _inner(real).is_loopback and target.port in own_ports:
        return Decision(Verdict.DENY, f"port {target.port} is codexd's own", "hosts")
    there = replace(target, host=str(real))
    by_address = decide(
        policy,
        "net",
        f"{asked} at {real}",
        lambda grant: covers_address(grant, there),
        add=f"{there.origin}/*",
        note="its address is not public, so a grant must spell it",
    )
    if by_address and not opened(policy, "net"):
        why = f"{asked} at {real} is not granted: its address is not public, and {NAME_IT}"
        return Decision(Verdict.DENY, why, by_address.layer)
    return by_address


def target_of(url: str) -> Target:
    """`url`, taken apart. Raises `Denied` for whatever two readers could read in two ways."""
    if bad := re.search(r"[\x00-\x20\x7f-\xa0\\\u200b-\u200f\u2028-\u202e\u2060-\u2069]", url):
        raise Denied(f"a URL with the character {bad[0]!r} in it")
    taken = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", url)
    if taken is None:
        raise Denied(f"`{url}` is no absolute URL", help="write https://HOST/PATH")
    scheme = taken[1].lower()
    if scheme not in _PORTS:
        raise Denied(f"`{scheme}` URLs are not reached, http and https are: `{url}`")
    if "@" in taken[2]:
        raise Denied("a URL with a user name or password in it", help="leave out all before the @")
    host, port = _split_port(taken[2], scheme)
    return Target(scheme, host_of(host), port, _plain_path(taken[3]), taken[4] or "")


def host_of(text: str) -> str:
    """A host as it is compared: lower case ASCII (IDNA), no brackets, no trailing dot.

    Raises `Denied` for spellings of an address that programs read differently (`0x7f.1`, `017…`).
    """
    if text.startswith("["):
        address = _address(text[1:-1]) if text.endswith("]") else None
        if address is None or address.version != 6:
            raise Denied(f"`{text}` is no IPv6 address")
        return str(address)
    try:
        host = text if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        raise Denied(f"`{text}` is no host name") from None
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Denied(f"`{text}` is no host name")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        if (address := _address(host)) is None:
            raise Denied(f"`{text}` is an address in a doubtful spelling", help="write 192.0.2.1")
        return str(address)
    return host


_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def address_allowed(address: str, *, granted: bool) -> bool:
    """Whether `address` may be connected to: a public one, or one that is `granted` by address.

    Nothing that is no address, no multicast and no broadcast address is ever allowed.
    """
    found = _address(address)
    if found is None:
        return False
    inner = _inner(found)
    if inner.is_multicast or inner.is_unspecified or str(inner) == "255.255.255.255":
        return False
    return granted or is_public(found)


def is_public(address: Address) -> bool:
    """Whether anybody's packets may go there: no private, loopback, link-local or metadata one."""
    inner = _inner(address)
    if inner.version == 4:
        return inner.is_global and not inner.is_multicast and not _in(inner, _NOT_PUBLIC)
    return _in(inner, _PUBLIC_6) and inner.is_global and not _in(inner, _NOT_PUBLIC)


_PUBLIC_6 = (ipaddress.ip_network("2000::/3"),)
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        # Azure hands out metadata and health checks at this one, which looks public.
        "168.63.129.16/32",
        # Teredo and 6to4 lead to IPv4 addresses of the sender's choice; documentation.
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _in(
    address: Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> bool:
    return any(address in network for network in networks)


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _address(text: str) -> Address | None:
    # A zone (`fe80::1%eth0`) names an interface: never a public address.
    if not text.isascii() or "%" in text or "/" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


# --- grants ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """A grant of hosts, taken apart."""

    scheme: str
    host: str
    """As `Target.host`; `*`, or `*.domain`."""
    port: int | None
    """`None`: any."""
    path: str
    """As written, with its `*`; `/*` is the whole host."""

    def covers(self, target: Target) -> bool:
        """Whether the URL lies within the grant, its address left aside."""
        return (
            self.scheme == target.scheme
            and self.port in (None, target.port)
            and self._covers_host(target)
            and _path_matches(self.path, target.path)
        )

    def spells(self, address: Address) -> bool:
        """Whether the grant names `address` itself, or means it by `localhost`."""
        if self.host == "localhost":
            return _inner(address).is_loopback
        own = _address(self.host)
        return own is not None and _inner(own) == _inner(address)

    def _covers_host(self, target: Target) -> bool:
        if self.host == "*":
            return _may_be_public(target)
        if self.host == "localhost" and target.address is not None:
            return _inner(target.address).is_loopback
        if self.host.startswith("*."):
            return target.address is None and target.host.endswith(self.host[1:])
        return self.host == target.host


def _may_be_public(target: Target) -> bool:
    if target.address is not None:
        return is_public(target.address)
    return "." in target.host and not target.host.endswith(_LOCAL_DOMAINS)


_LOCAL_DOMAINS = (".localhost", ".local", ".internal", ".home.arpa", ".lan")


def rule_of(value: str) -> Rule:
    """The grant written as `value`. Raises `Denied` where it is none, saying why.

    A host without a scheme is an https one.
    """
    text = value if "://" in value else f"https://{value}"
    taken = re.fullmatch(r"(https?)://([^/?#]+)(/[^?#]*)?", text, re.IGNORECASE)
    if taken is None or value == "*":
        raise Denied(
            f"`{value}` is no host grant", help="write https://HOST, https://HOST/PATH/*, https://*"
        )
    scheme = taken[1].lower()
    host, any_port = taken[2], taken[2].endswith(":*")
    host, port = _split_port(host.removesuffix(":*"), scheme)
    if host != "*":
        wild = host.startswith("*.")
        host = ("*." if wild else "") + host_of(host.removeprefix("*."))
        if wild and ("." not in host[2:] or _address(host[2:]) is not None):
            raise Denied(f"`{value}`: `*.` needs a domain with a dot in it")
    path = taken[3] or "/"
    if path.count("*") > _MAX_STARS:
        raise Denied(f"`{value}`: more than {_MAX_STARS} `*` in a path")
    return Rule(scheme, host, None if any_port else port, "/*" if path == "/" else path)


_MAX_STARS = 3
"""More would let a grant's author make matching slow."""


def is_closed(value: str) -> bool:
    """Whether the grant written as `value` spells an address that is not public."""
    rule = _rule(value)
    if rule is None:
        return False
    address = _address(rule.host)
    return rule.host == "localhost" or (address is not None and not is_public(address))


def unreachable(value: str) -> str:
    """Why no URL can ever be reached through the grant written as `value`; empty where one may."""
    rule = _rule(value)
    if rule is None:
        return "it is no host grant"
    address = _address(rule.host)
    if address is not None and not address_allowed(rule.host, granted=True):
        return "its address is no host's"
    if rule.host.startswith("*.") and f".{rule.host[2:]}".endswith(_LOCAL_DOMAINS):
        return "names below it have no public address, and a `*` spells none"
    if _DOUBTFUL.search(rule.path):
        return "a path with an escaped slash, percent sign or NUL in it is never matched"
    plain = _plain_path(rule.path)
    if plain != rule.path and "*" not in rule.path.removesuffix("/*"):
        return f"a URL's path is compared as a server reads it; write `{plain}`"
    return ""


@lru_cache(maxsize=1024)
def _rule(value: str) -> Rule | None:
    try:
        return rule_of(value)
    except Denied:
        return None


def covers(grant: Grant, target: Target) -> bool:
    """Whether `grant` covers the URL by what it spells, wherever its host lies."""
    rule = _rule(grant.value)
    return rule is not None and rule.covers(target)


def covers_address(grant: Grant, target: Target) -> bool:
    """Whether `grant` spells the very address that is the host of `target`."""
    rule, address = _rule(grant.value), target.address
    return (
        rule is not None
        and address is not None
        and rule.spells(address)
        and rule.covers(target if rule.host == "localhost" else replace(target, host=rule.host))
    )


# --- parts of a URL -------------------------------------------------------------------------


def _split_port(text: str, scheme: str) -> tuple[str, int]:
    taken = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d{0,5}))?", text, re.ASCII)
    if taken is None or not taken[1]:
        raise Denied(f"`{text}` is no host")
    port = int(taken[2]) if taken[2] else _PORTS[scheme]
    if not 0 < port < 65536:
        raise Denied(f"{port} is no port")
    return taken[1], port


_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


def _plain_path(path: str) -> str:
    """The path as a server sees it: unreserved escapes undone, dot segments resolved."""
    path = re.sub(r"%([0-9A-Fa-f]{2})", _unescape, path)
    parts: list[str] = []
    for part in path.split("/")[1:]:
        if part == "..":
            parts[-1:] = []
        elif part != ".":
            parts.append(part)
    if path.rsplit("/", 1)[-1] in (".", ".."):
        parts.append("")
    return "/" + "/".join(parts)


def _unescape(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in _UNRESERVED else escape[0].upper()


def _path_matches(wanted: str, path: str) -> bool:
    if wanted == "/*":
        return True
    # Servers differ on whether an escaped slash is one: under a path grant neither is taken.
    if _DOUBTFUL.search(path):
        return False
    wanted = wanted.removesuffix("/*")
    return _path_regex(wanted.rstrip("/")).match(path) is not None


_DOUBTFUL = re.compile(r"%2F|%5C|%25|%00|/\.\.;", re.IGNORECASE)


@lru_cache(maxsize=1024)
def _path_regex(wanted: str) -> re.Pattern[str]:
    # A `*` stays within one part; what follows a match is a part of its own, or nothing.
    steps = [re.escape(step) for step in re.split(r"\*+", wanted)]
    return re.compile("[^/]*".join(steps) + r"(?:/.*)?\Z", re.DOTALL)
