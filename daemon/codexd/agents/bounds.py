"""What a definition asks for and does not get: what a repository cannot open, and what is wider
than a ceiling (`[policy]` of the configuration) allows.
"""

from __future__ import annotations

from dataclasses import replace

from codexd.agents.definition import AgentDefinition
from codexd.agents.sheet import Sheet
from codexd.agents.toolnames import ACTING
from codexd.errors import Severity
from codexd.policy import Grant, Layer, Policy
from codexd.policy.effective import beyond, closed, effective
from codexd.policy.layers import NAME_IT, Field, grants_of, may_use, opened

_FIELDS: tuple[Field, ...] = ("read", "write", "exec", "net", "net_sub")


def remark_on_grants(sheet: Sheet, definition: AgentDefinition, ceilings: Policy) -> None:
    """Remark on each grant of `definition` that is not granted, or not all of it, and why."""
    stack = (*ceilings, definition.policy)
    for field in _FIELDS:
        for grant in dict.fromkeys(grants_of(definition.policy, field) or ()):
            if closed(field, grant.value) and not opened(stack, field):
                message = f"`{grant.value}` is not granted: {NAME_IT}"
                sheet.remark_on(grant, Severity.WARNING, message, code="not-granted")
            elif (layer := beyond(ceilings, field, grant.value)) is not None:
                said = grant.source != definition.source
                _too_wide(sheet, grant, field, layer, ceilings, said=said)
    _tools(sheet, definition, ceilings)


def _too_wide(
    sheet: Sheet, grant: Grant, field: Field, layer: Layer, ceilings: Policy, *, said: bool
) -> None:
    only = replace(Layer("", grant.source), **{field: (grant,)})
    left = ", ".join(f"`{value}`" for value in effective((*ceilings, only), field) or ())
    message = (
        f"`{grant.value}` is wider than the {layer.name} allows for `{field.replace('_', '.')}` "
        f"({layer.source}): what is left of it is {left or 'nothing'}"
    )
    # What no one wrote (a default) is no mistake of the file's author.
    severity = Severity.WARNING if said else Severity.INFORMATION
    sheet.remark_on(grant, severity, message, code="above-ceiling")


def _tools(sheet: Sheet, definition: AgentDefinition, ceilings: Policy) -> None:
    for tool in definition.tools:
        decision = may_use(ceilings, tool)
        if decision:
            continue
        word = sheet.tool_words.get(tool)
        if word is not None:
            sheet.remark_on(word, Severity.WARNING, decision.why, code="above-ceiling")
        elif tool not in ACTING:
            sheet.remark(Severity.INFORMATION, ("tools",), decision.why, code="above-ceiling")
