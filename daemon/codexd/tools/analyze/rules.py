"""Which of ruff's rules are worth a reader's time, how bad each is, and how to say it to people.

A rule is here because what it finds is wrong, dangerous, or about to be; taste is not here.
Within a severity the order of the rows is the order of what matters.
"""

from __future__ import annotations

from typing import NamedTuple

from codexd.errors import Severity

ERROR, WARNING, INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION


class Rule(NamedTuple):
    """One of ruff's rules, or a family of them by its common start (`PLE`)."""

    code: str
    severity: Severity
    says: str = ""
    """What people read; ruff's own words where empty."""


LINT = (
    # The program breaks, or does something else than it says, as soon as it gets there.
    Rule("invalid-syntax", ERROR),
    Rule("F821", ERROR),
    Rule("F822", ERROR),
    Rule("F823", ERROR),
    Rule("F50", ERROR),
    Rule("F52", ERROR),
    Rule("F62", ERROR),
    Rule("F63", ERROR),
    Rule("F70", ERROR),
    Rule("PLE", ERROR),
    Rule("B016", ERROR),
    Rule("B030", ERROR),
    Rule("PLW0133", ERROR, "the exception is made and never raised"),
    Rule("PLW0245", ERROR),
    Rule("PLW1501", ERROR),
    Rule("RUF016", ERROR),
    # It works today and bites on the second call, under load, or when something else fails.
    Rule("B006", WARNING, "the default is made once and shared by all calls: a change stays"),
    Rule("B039", WARNING),
    Rule("B023", WARNING),
    Rule("B019", WARNING, "a cache on a method keeps every instance alive"),
    Rule("B002", WARNING),
    Rule("B003", WARNING),
    Rule("B005", WARNING),
    Rule("B012", WARNING),
    Rule("B015", WARNING),
    Rule("B017", WARNING),
    Rule("B025", WARNING),
    Rule("B026", WARNING, "`*args` after a keyword argument is bound before it"),
    Rule("B029", WARNING),
    Rule("B031", WARNING),
    Rule("B032", WARNING),
    Rule("B034", WARNING),
    Rule("B035", WARNING),
    Rule("E722", WARNING, "bare `except` also catches Ctrl-C and SystemExit"),
    Rule("F402", WARNING),
    Rule("F601", WARNING),
    Rule("F811", WARNING),
    Rule("RUF006", WARNING, "nothing holds this task: it may vanish while it runs"),
    Rule("RUF008", WARNING),
    Rule("RUF024", WARNING),
    Rule("ASYNC210", WARNING),
    Rule("ASYNC220", WARNING),
    Rule("ASYNC221", WARNING),
    Rule("ASYNC222", WARNING),
    Rule("ASYNC251", WARNING, "time.sleep() stops every other task of the event loop"),
    Rule("PLW0127", WARNING),
    Rule("PLW0128", WARNING),
    Rule("PLW0129", WARNING),
    Rule("PLW0177", WARNING),
    Rule("PLW0711", WARNING),
    Rule("PLW1507", WARNING),
    Rule("PLW1508", WARNING),
    Rule("PLW2101", WARNING),
    # Left over, or likely not what was meant.
    Rule("F841", INFORMATION),
    Rule("F401", INFORMATION),
    Rule("B004", INFORMATION, "hasattr(x, '__call__') errs on some objects; callable(x) does not"),
    Rule("B014", INFORMATION),
    Rule("B020", INFORMATION),
    Rule("B018", INFORMATION, "the value is worked out and thrown away"),
    Rule("B033", INFORMATION),
    Rule("S110", INFORMATION, "the error is swallowed: nobody will know that it happened"),
    Rule(
        "PLE0704",
        INFORMATION,
        "`raise` alone outside of a handler: right only where a handler called this",
    ),
    Rule("SIM115", INFORMATION, "the file is closed only when nothing fails; `with` always does"),
    Rule(
        "B904", INFORMATION, "`raise … from` is missing: the cause looks like an error in handling"
    ),
)

MILDER = {
    # Formatting that only drops an argument, and tests that are always true or need luck.
    "F504": WARNING,
    "F522": WARNING,
    "F523": WARNING,
    "F631": WARNING,
    "F632": WARNING,
    "F634": WARNING,
    "PLE1310": WARNING,
    "PLE2510": WARNING,
    "PLE2512": WARNING,
    "PLE2513": WARNING,
    "PLE2514": WARNING,
    "PLE2515": WARNING,
    "PLE1141": WARNING,
}
"""Members of a family that are less bad than the family."""

SECURITY = (
    # Protection is switched off, or a debugger is open.
    Rule(
        "S501", ERROR, "certificates are not checked: anybody on the way can read and change this"
    ),
    Rule("S201", ERROR, "Flask's debugger runs code for whoever reaches it"),
    Rule("S502", ERROR),
    Rule("S503", ERROR),
    Rule("S323", ERROR, "this context checks no certificate"),
    Rule("S506", ERROR, "yaml.load() can build any object; yaml.safe_load() reads values only"),
    Rule("S602", ERROR, "the text goes through a shell: what a caller puts in is run"),
    Rule("S608", WARNING, "SQL is put together from text: pass values as parameters"),
    # Input becomes code or markup.
    Rule("S301", WARNING, "unpickling runs code that its input chooses: never bytes from outside"),
    Rule("S302", WARNING),
    Rule("S701", WARNING, "jinja2 Environment without autoescape: HTML in a value gets in"),
    Rule("S307", WARNING, "eval() runs what its text says; ast.literal_eval() reads values only"),
    Rule("S102", WARNING, "exec() runs what its text says"),
    Rule("S605", WARNING, "this starts a shell: what a caller puts in is run"),
    Rule("S604", WARNING, "a call with shell=True: what a caller puts into the text is run"),
    Rule("S609", WARNING),
    Rule("S702", WARNING, "Mako does not escape by itself: HTML in a value gets in"),
    Rule("S704", WARNING),
    Rule("S202", WARNING, "an archive can write outside its folder: extract with filter='data'"),
    Rule("S31", WARNING),
    Rule("S612", WARNING),
    # Weak or missing protection.
    Rule("S324", WARNING),
    Rule("S303", WARNING),
    Rule("S304", WARNING),
    Rule("S305", WARNING),
    Rule("S504", WARNING),
    Rule("S505", WARNING),
    Rule("S507", WARNING, "any host key is taken: the server may be another"),
    Rule("S508", WARNING),
    Rule("S509", WARNING),
    Rule("S103", WARNING),
    Rule("S306", WARNING, "mktemp() names a file that another may make first; use mkstemp()"),
    Rule("S312", WARNING),
    Rule("S321", WARNING),
    Rule("S113", WARNING, "no timeout: a silent server holds this call for ever"),
    Rule("S105", INFORMATION),
    Rule("S106", INFORMATION),
    Rule("S104", INFORMATION),
    Rule("S606", INFORMATION),
    Rule("S603", INFORMATION, "starts a program: see that no caller decides its arguments"),
    Rule("S110", INFORMATION, "the error is swallowed: an attack leaves no trace"),
)

UNWANTED = ("S310", "S311", "PLE0605")
"""Of the families above, what is nearly always harmless: opened URLs, random numbers, an `__all__`
that is put together."""


def rule_for(code: str, rules: tuple[Rule, ...]) -> tuple[int, Rule] | None:
    """The weight of a code and its row, the longest start that fits; `None` for no row."""
    fitting = [
        (len(row.code), place) for place, row in enumerate(rules) if code.startswith(row.code)
    ]
    if not fitting or code in UNWANTED:
        return None
    place = max(fitting)[1]
    row = rules[place]
    return 500 - place, row._replace(severity=MILDER.get(code, row.severity))


def selection(rules: tuple[Rule, ...]) -> str:
    """What ruff is told to select; syntax errors come without being asked for."""
    return ",".join(row.code for row in rules if row.code != "invalid-syntax")
