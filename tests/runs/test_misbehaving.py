"""Each way in which a model misbehaves has one right end: the rows of `docs/misbehaving-models.md`,
each played by a real server to a real run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from tests.house import House, agent, call, house, result
from tests.model_server import Call, Fault, Script, Scripted, Used, turns
from tests.models.helpers import saying

from codexd.orchestrator import Consent
from codexd.runs.events import Answered, Begun
from codexd.runs.view import RunView, Status

DOC = Path(__file__).parents[2] / "docs" / "misbehaving-models.md"

Effect = Literal["nothing", "as counted", "in full, uncertain"]
Where = Literal["", "refused", "dns", "tls"]

DONE = Scripted(text=result("done"))
LONG = Scripted(text=result("a long answer " * 20))
OFTEN = "try another model (-m PROVIDER/MODEL), or say more in --goal"
GRANT = "try another model (-m PROVIDER/MODEL), or grant its agent what it asked for"
CUT_ONCE = "stream_max_retries = 0"


@dataclass(frozen=True)
class Row:
    """One misbehaviour, and what is to come of it; `…` in a text stands for what varies."""

    name: str
    script: Script
    status: Status
    effect: Effect
    reason: str = ""
    help: str = ""
    provider: str = ""
    """Lines of the provider's configuration."""
    n_requests: int = 1
    """How often the server is asked in all."""
    budget: int = 100_000
    where: Where = ""
    """That the server is not where the provider's `base_url` says."""

    def cells(self) -> tuple[str, ...]:
        """The row as the page has it."""
        return self.name, self.status.value, self.effect, self.reason or "—", self.help or "—"


def always(scripted: Scripted) -> Script:
    return lambda _: scripted


def refused(status: int, help: str, **more: Any) -> Row:
    """An answer that is an error, every time it is asked."""
    said = f"HOST says {status}: scripted"
    script = always(Scripted(status=status))
    return replace(
        Row(f"{status}, every time", script, Status.FAILED, "nothing", said, help), **more
    )


def broken(name: str, fault: Fault, reason: str, help: str = "ask again", **more: Any) -> Row:
    """A stream that began, and breaks."""
    script = always(replace(LONG, fault=fault))
    row = Row(name, script, Status.FAILED, "in full, uncertain", reason, help, provider=CUT_ONCE)
    return replace(row, **more)


def unmade(name: str, fault: str, *calls: Call) -> Row:
    """Calls that cannot be made, another one in each answer."""

    def script(body: dict[str, Any]) -> Scripted:
        return Scripted(calls=(calls[turns(body) % len(calls)],))

    reason = f"no call could be made in 5 answers; the last: {fault}"
    return Row(name, script, Status.FAILED, "as counted", reason, GRANT, n_requests=5)


def counted(name: str, usage: Used | None) -> Row:
    """An answer whose usage nobody can believe."""
    script = [replace(DONE, usage=usage)]
    return Row(name, script, Status.COMPLETED, "in full, uncertain")


OVERRUN = "scripted/small counted … tokens where at most … were reserved; the run was ended"
READ = Scripted(calls=(call("read_file", path="a.txt"),))
SOON = {"Retry-After": "0.01"}

ROWS = (
    Row(
        "429 with `Retry-After`, then an answer",
        [Scripted(status=429, headers=SOON), DONE],
        Status.COMPLETED,
        "as counted",
        provider="request_max_retries = 1",
        n_requests=2,
    ),
    refused(
        429,
        "wait 7 s, or run fewer agents at once",
        name="429 with `Retry-After`, every time",
        script=always(Scripted(status=429, headers={"Retry-After": "7"})),
    ),
    refused(
        429,
        "wait 3,600 s, or run fewer agents at once",
        name="429 that asks for more than 2 minutes",
        script=always(Scripted(status=429, headers={"Retry-After": "3600"})),
        provider="request_max_retries = 4",
    ),
    refused(429, "wait, or run fewer agents at once", name="429 without `Retry-After`, every time"),
    *(refused(status, "try again later") for status in (500, 502, 503, 529)),
    Row(
        "connection refused",
        always(DONE),
        Status.FAILED,
        "nothing",
        "HOST cannot be reached: Connection refused",
        "is scripted running?",
        where="refused",
        n_requests=0,
    ),
    Row(
        "host not found (DNS)",
        always(DONE),
        Status.FAILED,
        "nothing",
        "HOST cannot be reached: …",
        "check the network, and base_url; behind a proxy set HTTPS_PROXY",
        where="dns",
        n_requests=0,
    ),
    Row(
        "TLS fails",
        always(DONE),
        Status.FAILED,
        "nothing",
        "HOST cannot be reached: TLS failed: …",
        "does it speak https? base_url is …",
        where="tls",
        n_requests=0,
    ),
    Row(
        "silence before the headers",
        always(Scripted(hold=asyncio.Event())),
        Status.FAILED,
        "in full, uncertain",
        "HOST did not answer within 0.05 s",
        "where it needs longer, raise stream_idle_timeout_ms of model_providers.scripted",
        provider="stream_idle_timeout_ms = 50",
    ),
    broken(
        "connection closed before the headers",
        Fault.DROP,
        "HOST cannot be reached: …",
        "is scripted running?",
    ),
    broken(
        "silence between chunks",
        Fault.SILENCE,
        "the stream of HOST was silent for 0.5 s",
        provider=f"{CUT_ONCE}\nstream_idle_timeout_ms = 500",
    ),
    broken("stream cut inside a chunk", Fault.CUT, "the stream of HOST broke off: …"),
    broken(
        "stream cut every time, asked again twice",
        Fault.CUT,
        "the stream of HOST broke off: …",
        provider="stream_max_retries = 2",
        n_requests=3,
    ),
    broken(
        "stream that ends early",
        Fault.END_EARLY,
        "the stream of HOST ended in the middle",
    ),
    broken("invalid UTF-8", Fault.NOT_UTF8, "the stream holds bytes that are no UTF-8"),
    broken(
        "invalid JSON",
        Fault.BROKEN_JSON,
        "an event of the stream makes no sense (JSONDecodeError): …",
    ),
    broken(
        "a line of 100 MB",
        Fault.LONG_LINE,
        "a line of the stream is longer than 8,388,608 bytes",
    ),
    broken(
        "an error in the stream",
        Fault.ERROR_EVENT,
        "the provider gave up in the middle: overloaded",
    ),
    Row(
        "unknown events",
        [replace(LONG, fault=Fault.UNKNOWN_EVENT)],
        Status.COMPLETED,
        "as counted",
    ),
    Row(
        "a tool that was not offered, once",
        [Scripted(calls=(Call("reed_file"),)), DONE],
        Status.COMPLETED,
        "as counted",
        n_requests=2,
    ),
    unmade(
        "tools that were not offered, every time",
        "there is no tool `reed_file` here; there are: …",
        Call("reed_file"),
        Call("raed_file"),
    ),
    unmade(
        "arguments that are not JSON, every time",
        "the arguments of `read_file` are no JSON: …",
        Call("read_file", "{oops"),
        Call("read_file", "[oops"),
    ),
    unmade(
        "arguments that do not fit the schema, every time",
        "`read_file` does not take these arguments: …",
        Call("read_file", '{"paht": "a.txt"}'),
        Call("read_file", '{"file_nmae": "a.txt"}'),
    ),
    unmade(
        "what the policy forbids, every time",
        "`/etc/passwd` is outside the workspace …",
        call("read_file", path="/etc/passwd"),
        call("read_file", path="/etc/shadow"),
    ),
    Row(
        "an empty answer, asked once more",
        always(Scripted(text="")),
        Status.FAILED,
        "as counted",
        "the model answered nothing and did nothing",
        OFTEN,
        n_requests=2,
    ),
    Row(
        "the same call with the same result, for ever",
        always(READ),
        Status.FAILED,
        "as counted",
        "the model made the same call 5 times with the same result: read_file a.txt",
        OFTEN,
        n_requests=5,
    ),
    counted("usage missing", None),
    counted("usage negative", Used(-5, 3)),
    counted("usage absurd (10¹² tokens)", Used(10**12, 10**12)),
    Row(
        "usage above what was reserved",
        always(replace(READ, usage=Used(50_000, 10))),
        Status.BUDGET_EXCEEDED,
        "as counted",
        OVERRUN,
        budget=20_000,
    ),
    Row(
        "more output than the cap",
        always(Scripted(text=result("x" * 200_000), ignores_cap=True, piece=65_536)),
        Status.BUDGET_EXCEEDED,
        "as counted",
        OVERRUN,
        budget=20_000,
    ),
    Row(
        "answers cut at the cap, every time",
        always(Scripted(text="x" * 200_000, piece=65_536)),
        Status.FAILED,
        "as counted",
        "the model's answers keep running into the output cap",
        "give it a smaller goal, or try another model (-m PROVIDER/MODEL)",
        n_requests=3,
        budget=1_000_000,
    ),
)


async def allowed(consent: Consent) -> str:
    return "once"


@asynccontextmanager
async def misbehaving(folder: Path, row: Row) -> AsyncGenerator[House]:
    """A house whose model does what `row` says."""
    async with saying(b"") as plain:
        url = {
            "": "",
            "refused": "http://127.0.0.1:1/v1",
            "dns": "http://nowhere.invalid/v1",
            "tls": plain.replace("http:", "https:"),
        }[row.where]
        provider = row.provider + (f'\nbase_url = "{url}"' if url else "")
        text = agent("worker", budget=row.budget)
        async with house(folder, row.script, text, provider=provider, ask=allowed) as here:
            yield here


def fits(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, in which `…` stands for some words and HOST for the host."""
    hosts = r"(127\.0\.0\.1:\d+|nowhere\.invalid)"
    whole = re.escape(pattern).replace("…", ".+").replace("HOST", hosts)
    return re.fullmatch(whole, text) is not None


def has_effect(effect: Effect, here: House, run: RunView) -> bool:
    """Whether the run's spending is what `effect` says."""
    reserved = sum(body.reserved for body in here.bodies(run, Begun))
    counted = here.server.input_tokens + here.server.output_tokens
    match effect:
        case "nothing":
            return run.spent == run.uncertain == 0
        case "as counted":
            return (run.spent, run.uncertain) == (counted, 0) and counted > 0
        case "in full, uncertain":
            return run.spent == run.uncertain == reserved > 0


@pytest.mark.anyio
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_misbehaving_model_has_one_right_end(tmp_path: Path, row: Row) -> None:
    async with misbehaving(tmp_path, row) as here:
        with anyio.fail_after(60):
            run = await here.delegate()
        answers = here.bodies(run, Answered)
        verified = await here.codexd.verify()
        assert run.status is row.status, (run.reason, run.help)
        assert fits(row.reason, run.reason), run.reason
        assert fits(row.help, run.help), run.help
        assert has_effect(row.effect, here, run), (run.spent, run.uncertain)
        assert len(here.server.requests) == row.n_requests
        assert sum(answer.charged for answer in answers) == run.spent
        assert verified["ok"]


def test_the_page_has_the_rows_that_are_tested() -> None:
    lines = [line for line in DOC.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    page = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]
    assert page[1:] == [row.cells() for row in ROWS]
