"""Nothing is sent behind the user's back. (A local model named `…-cloud` counts as hosted.)"""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.house import House, agent, call, house, result
from tests.model_server import Scripted

from codexd import CreateAgent, Delegate, Orchestrator
from codexd.errors import Denied
from codexd.orchestrator import Consent
from codexd.runs.events import Approved, Asked
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

DONE = Scripted(text=result())
HOSTED = "scripted/small-cloud"


class Person:
    """Answers questions, in turn, and remembers them."""

    def __init__(self, *answers: str) -> None:
        self.asked: list[Consent] = []
        self._answers = list(answers)

    async def answer(self, consent: Consent) -> str:
        self.asked.append(consent)
        return self._answers.pop(0)


def approvals(here: House, run: RunView) -> Sequence[Approved]:
    return here.bodies(run, Approved)


async def test_a_hosted_model_is_asked_about_with_who_reads_what(tmp_path: Path) -> None:
    person = Person("once")
    async with house(tmp_path, [DONE], ask=person.answer, model=HOSTED) as here:
        run = await here.delegate()
        [asked] = here.bodies(run, Asked)
        [approved] = approvals(here, run)
    assert run.status is Status.COMPLETED
    [consent] = person.asked
    assert (consent.host, consent.agents) == ("ollama.com", ("worker",))
    assert consent.reads.startswith("./**")
    assert asked.subject == approved.subject == "ollama.com"
    assert (approved.by, approved.scope) == ("user", "once")


async def test_once_is_for_one_run_and_always_is_kept(tmp_path: Path) -> None:
    person = Person("once", "always")
    async with house(tmp_path, lambda _: DONE, ask=person.answer, model=HOSTED) as here:
        runs = [await here.delegate() for _ in range(3)]
        assert len(person.asked) == 2
        scopes = [each.scope for run in runs for each in approvals(here, run)]
        assert scopes == ["once", "always", "always"]
    nobody = Person()
    async with house(tmp_path, [DONE], ask=nobody.answer, model=HOSTED) as here:
        run = await here.delegate()
        assert [each.scope for each in approvals(here, run)] == ["always"]
    assert nobody.asked == []


async def test_always_is_for_this_workspace_alone(tmp_path: Path) -> None:
    person = Person("always", "no")
    async with house(tmp_path / "one", [DONE], ask=person.answer, model=HOSTED) as here:
        await here.delegate()
    async with house(tmp_path / "two", [DONE], ask=person.answer, model=HOSTED) as here:
        with pytest.raises(Denied):
            await here.delegate()


@pytest.mark.parametrize("answer", ["no", "", "yes"])
async def test_without_a_yes_nothing_is_begun_nor_sent(tmp_path: Path, answer: str) -> None:
    person = Person(answer, answer, answer)
    async with house(tmp_path, [DONE], ask=person.answer, model=HOSTED) as here:
        with pytest.raises(Denied, match=r"ollama\.com may not read"):
            await here.delegate()
        with pytest.raises(Denied):
            await here.together(Delegate(agent="worker"), Delegate(agent="worker"))
        with pytest.raises(Denied):
            await here.codexd.create_agent(CreateAgent(prompt="finds typos"))
        assert here.server.requests == here.server.other_requests == []
        assert await here.codexd.runs() == ()
    assert len(person.asked) == 3


async def test_without_anyone_to_ask_the_flag_is_the_permission(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE], model=HOSTED) as here:
        run = await here.delegate()
        [approved] = approvals(here, run)
        records = [record async for record in here.codexd.audit(run=run.id)]
    assert (approved.by, approved.scope) == ("<command line>", "configured")
    assert [r["subject"] for r in records if r["event_type"] == "security"] == ["ollama.com"]


async def test_without_anyone_to_ask_the_configuration_is_the_permission(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        config = here.home / ".codex/codexd.toml"
        config.write_text(config.read_text().replace('"small"', '"small-cloud"'))
        env = {"HOME": str(here.home), "PATH": "/usr/bin:/bin"}
        async with Orchestrator.open(here.workspace, env=env) as codexd:
            run = await codexd.delegate(Delegate(agent="worker"))
        [approved] = approvals(here, run)
    assert approved.by == f"{config}:1"


async def test_a_model_on_this_machine_is_not_asked_about(tmp_path: Path) -> None:
    nobody = Person()
    async with house(tmp_path, [DONE], ask=nobody.answer) as here:
        run = await here.delegate()
        assert here.bodies(run, Asked) == approvals(here, run) == []
    assert nobody.asked == []
    assert not run.billed


async def test_parallel_runs_are_one_question_that_names_all(tmp_path: Path) -> None:
    person = Person("once")
    agents = (agent("one"), agent("two"))
    async with house(tmp_path, lambda _: DONE, *agents, ask=person.answer, model=HOSTED) as here:
        group = await here.together(*(Delegate(agent=name) for name in ("one", "two", "one")))
        assert [each.by for each in approvals(here, group)] == ["user"]
    assert group.status is Status.COMPLETED
    assert [consent.agents for consent in person.asked] == [("one", "two")]


# Models that stand elsewhere than that of the run that was asked about.


def cloudy(name: str, tools: str = "read_file") -> str:
    """An agent whose own model is a hosted one."""
    return agent(name, tools=tools).replace("tools:", "model: big-cloud\ntools:")


async def test_an_agents_own_model_is_asked_about_too(tmp_path: Path) -> None:
    person = Person("once")
    agents = (agent("near"), cloudy("far"))
    async with house(tmp_path, lambda _: DONE, *agents, ask=person.answer) as here:
        await here.together(Delegate(agent="near"), Delegate(agent="far"))
    assert [(each.host, each.agents) for each in person.asked] == [("ollama.com", ("far",))]


async def test_the_light_model_is_asked_about_too(tmp_path: Path) -> None:
    person = Person("no")
    config = 'light_model = "tiny-cloud"'
    async with house(tmp_path, [DONE], config=config, ask=person.answer) as here:
        with pytest.raises(Denied):
            await here.delegate()
        assert here.server.requests == []


async def test_a_child_whose_model_nobody_asked_about_is_refused(tmp_path: Path) -> None:
    nobody = Person()
    delegate = Scripted(calls=(call("delegate", agent="far", goal="look"),))
    agents = (agent("boss", tools="delegate"), cloudy("far"))
    async with house(tmp_path, [delegate, DONE], *agents, ask=nobody.answer) as here:
        run = await here.delegate("boss")
        told = here.server.requests[1].body["messages"][-1]["content"]
    assert (run.status, run.children, nobody.asked) == (Status.COMPLETED, (), [])
    assert "ollama.com was not allowed to read files" in told
    assert [request.body["model"] for request in here.server.requests] == ["small", "small"]


async def test_a_child_reads_with_what_was_allowed_to_its_root(tmp_path: Path) -> None:
    person = Person("once")
    delegate = Scripted(calls=(call("delegate", agent="worker", goal="look"),))
    agents = (agent("boss", tools="delegate"), agent("worker"))
    script = [delegate, DONE, DONE]
    async with house(tmp_path, script, *agents, ask=person.answer, model=HOSTED) as here:
        run = await here.delegate("boss")
    assert [child.status for child in run.children] == [Status.COMPLETED]
    assert len(person.asked) == 1


# What may not turn a model on.


async def test_a_workspace_file_turns_no_model_on(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        ours = here.home / ".codex/codexd.toml"
        for name in ("codexd.toml", "config.toml"):
            (here.workspace / ".codex" / name).write_text(ours.read_text())
        ours.unlink()
        env = {"HOME": str(here.home), "PATH": "/usr/bin:/bin"}
        async with Orchestrator.open(here.workspace, env=env) as codexd:
            run = await codexd.delegate(Delegate(agent="worker"))
            remarks = [(each.path.name, each.key) for each in codexd.diagnostics()]
        assert here.server.requests == []
    assert run.model == "offline"
    assert {("codexd.toml", "model"), ("config.toml", "model")} <= set(remarks)


async def test_a_definitions_model_turns_none_on(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE], cloudy("worker"), model="offline") as here:
        run = await here.delegate()
        assert here.server.requests == []
    assert run.model == "offline"


async def test_a_key_in_the_environment_is_named_and_never_used(tmp_path: Path) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    for folder in (home, workspace / ".git"):
        folder.mkdir(parents=True)
    key = "sk-0123456789abcdef0123456789abcdef"
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "OPENAI_API_KEY": key}
    async with Orchestrator.open(workspace, env=env) as codexd:
        run = await codexd.delegate(Delegate(agent="code-reviewer"))
        said = [check for check in await codexd.doctor() if check.name == "not used"]
    assert run.model == "offline"
    assert not run.billed
    [check] = [check for check in said if "OPENAI" in check.text]
    assert check.text == "OPENAI_API_KEY is set; it is not used by itself"
    assert key not in str(said)
