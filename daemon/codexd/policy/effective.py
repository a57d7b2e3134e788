"""The effective policy in words: what is left when every layer has had its say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from codexd.errors import Denied
from codexd.policy.commands import UNHELD
from codexd.policy.hosts import Rule, is_closed, rule_of
from codexd.policy.layers import Approval, Field, Layer, Policy, SandboxTier, grants_of, opened
from codexd.policy.paths import names_protected, subsumes


def describe(policy: Policy, *, starts: bool = True) -> tuple[str, ...]:
    """A phrase a subject, to be joined by ` · `:
    `reads ./**`, `writes artifacts/x.md`, `no network`, `no shell`.

    Where two layers grant things that only overlap, what both name is shown. `starts`: whether
    granted programs are started here at all.
    """
    phrases = [
        _phrase("reads {}", effective(policy, "read"), "reads nothing", unsaid="reads ./**"),
        _phrase("writes {}", effective(policy, "write"), "writes nothing"),
        _phrase("network {}", effective(policy, "net"), "no network"),
        _phrase("runs {}", effective(policy, "exec") if starts else (), "no shell"),
    ]
    if hosts := effective(policy, "net_sub"):
        phrases.append(f"network of programs {_list(hosts)}")
    if variables := effective(policy, "env"):
        phrases.append(f"variables {_list(variables)}")
    if (tools := effective(policy, "tools")) is not None:
        phrases.append(_phrase("tools {}", tools, "no tools"))
    if (models := effective(policy, "models")) is not None:
        phrases.append(_phrase("models {}", models, "no models"))
    return (*phrases, *_scalars(policy))


def effective(policy: Policy, field: Field) -> tuple[str, ...] | None:
    """The grants of `field` that every layer allows, as written; `None`: no layer says anything."""
    left: tuple[str, ...] | None = None
    for layer in policy:
        grants = grants_of(layer, field)
        if grants is not None:
            values = tuple(dict.fromkeys(grant.value for grant in grants))
            if field == "exec":
                values = tuple(value for value in values if value not in UNHELD)
            left = values if left is None else _common(left, values, _WITHIN[field])
    if left is not None and not opened(policy, field):
        left = tuple(value for value in left if not closed(field, value))
    return left and _widest(left, field)


def beyond(policy: Policy, field: Field, value: str) -> Layer | None:
    """The first layer that does not hold all of the grant written as `value`; `None`: each does."""
    within = _WITHIN[field]
    for layer in policy:
        grants = grants_of(layer, field)
        if grants is not None and not any(within(grant.value, value) for grant in grants):
            return layer
    return None


def closed(field: Field, value: str) -> bool:
    """Whether the grant written as `value` names what a repository alone does not open."""
    if field in ("read", "write"):
        return names_protected(value, writing=field == "write")
    return field in ("net", "net_sub") and is_closed(value)


def _widest(values: tuple[str, ...], field: Field) -> tuple[str, ...]:
    """`values` without those that another one covers."""
    within = _WITHIN[field]
    return tuple(
        value
        for n, value in enumerate(values)
        if closed(field, value)
        or not any(
            within(other, value) and (k < n or not within(value, other))
            for k, other in enumerate(values)
            if k != n
        )
    )


def _common(
    one: Sequence[str], other: Sequence[str], within: Callable[[str, str], bool]
) -> tuple[str, ...]:
    found = [narrow for narrow in other if any(within(wide, narrow) for wide in one)]
    found += [narrow for narrow in one if any(within(wide, narrow) for wide in other)]
    return tuple(dict.fromkeys(found))


def _phrase(some: str, values: tuple[str, ...] | None, none: str, *, unsaid: str = "") -> str:
    if values is None:
        return unsaid or none
    return some.format(_list(values)) if values else none


def _list(values: Iterable[str]) -> str:
    whole = ("./**", "./", ".")
    return ", ".join("./**" if value in whole else value.removeprefix("./") for value in values)


def _scalars(policy: Policy) -> list[str]:
    phrases: list[str] = []
    approvals = [layer.approval for layer in policy if layer.approval is not None]
    if approvals:
        phrases.append(f"approval {min(approvals, key=list(Approval).index)}")
    tiers = [layer.sandbox for layer in policy if layer.sandbox is not None]
    if tiers:
        phrases.append(f"sandbox {min(tiers, key=list(SandboxTier).index)}")
    depths = [layer.depth for layer in policy if layer.depth is not None]
    if depths:
        phrases.append(f"depth {min(depths)}")
    return phrases


def _words_within(wide: str, narrow: str) -> bool:
    words = wide.split()
    return wide in ("*", "full") or words == narrow.split()[: len(words)]


def _name_within(wide: str, narrow: str) -> bool:
    return wide in ("*", narrow)


def _host_within(wide: str, narrow: str) -> bool:
    try:
        outer, inner = rule_of(wide), rule_of(narrow)
    except Denied:
        return False
    return (
        outer.scheme == inner.scheme
        and outer.port in (None, inner.port)
        and _host_name_within(outer, inner)
        and (outer.path in ("/*", inner.path) or inner.path.startswith(outer.path.rstrip("*")))
    )


def _host_name_within(outer: Rule, inner: Rule) -> bool:
    if outer.host.startswith("*."):
        return inner.host == outer.host or inner.host.endswith(outer.host[1:])
    return outer.host in ("*", inner.host)


_WITHIN: dict[Field, Callable[[str, str], bool]] = {
    "read": subsumes,
    "write": subsumes,
    "exec": _words_within,
    "net": _host_within,
    "net_sub": _host_within,
    "tools": _name_within,
    "models": _name_within,
    "env": _name_within,
}
