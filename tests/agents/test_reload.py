"""Looking again finds what a first look would find, and keeps what broke in service."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from codexd.agents.registry import AgentEntry, Registry, load

BROKEN = "name: [\n"
FOLDERS = ("workspace/.codex/agents", "workspace/.claude/agents", "home/.codex/agents")
FILES = [
    *(f"{FOLDERS[0]}/{stem}.yaml" for stem in ("a", "b", "x")),
    *(f"{FOLDERS[1]}/{stem}.md" for stem in ("a", "b")),
    *(f"{FOLDERS[2]}/{stem}.yaml" for stem in ("a", "x")),
]
NAMES = ("A", "B", "code-reviewer")
files = st.sampled_from(FILES)


def text_of(file: str, name: str, number: int) -> str:
    """An agent file; all of a dialect are as long as each other, but for the name."""
    if file.endswith(".md"):
        return f"---\nname: {name}\ndescription: d{number:04}\n---\nDo.\n"
    return f"name: {name}\ngoal: g\ndescription: d{number:04}\n"


class Reloading(RuleBasedStateMachine):
    """Files come and go; after each step the registry is looked at again."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        self.texts: dict[str, str] = {}
        """What stands in the files."""
        self.good: dict[str, str] = {}
        """What last stood there without errors, since the file is there."""
        self.number = 0
        self.alias = ""
        (self.base / "workspace/.codex").mkdir(parents=True)
        self.registry = self.look()

    def teardown(self) -> None:
        shutil.rmtree(self.base)

    def look(self, *changed: str, base: Path | None = None) -> Registry:
        base = base or self.base
        cached = self.registry.entries if changed else ()
        names = {Path(file).name for file in changed}
        return load(base / "workspace", home=base / "home", cached=cached, changed=names)

    def put(self, file: str, text: str, *, atomically: bool) -> None:
        path = self.base / file
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.with_suffix(".tmp") if atomically else path).write_text(text)
        if atomically:
            path.with_suffix(".tmp").replace(path)
        self.texts[file] = text
        if text != BROKEN:
            self.good[file] = text
        self.registry = self.look(file)

    @rule(file=files, name=st.sampled_from(NAMES), atomically=st.booleans())
    def save(self, file: str, name: str, atomically: bool) -> None:
        self.number += 1
        self.put(file, text_of(file, name, self.number), atomically=atomically)

    @rule(file=files, atomically=st.booleans())
    def break_one(self, file: str, atomically: bool) -> None:
        self.put(file, BROKEN, atomically=atomically)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(sorted(self.texts)))
        (self.base / file).unlink()
        self.forget(file)
        self.registry = self.look(file)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def rename(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(sorted(self.texts)))
        new = data.draw(st.sampled_from([each for each in FILES if each != old]))
        if Path(old).suffix != Path(new).suffix:
            return
        (self.base / new).parent.mkdir(parents=True, exist_ok=True)
        (self.base / old).replace(self.base / new)
        self.texts[new] = self.texts[old]
        if self.texts[new] != BROKEN:
            self.good[new] = self.texts[new]
        self.forget(old)
        self.registry = self.look(old, new)

    @rule(folder=st.sampled_from(FOLDERS))
    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self.base / folder, ignore_errors=True)
        gone = [file for file in self.texts if file.startswith(folder)]
        for file in gone:
            self.forget(file)
        self.registry = self.look(folder, *gone)

    @rule(agent=st.sampled_from((*NAMES, "a", "nobody")))
    def save_alias(self, agent: str) -> None:
        self.alias = f'aliases:\n  "@it": {agent}\n'
        (self.base / "workspace/.codex/aliases.yaml").write_text(self.alias)
        self.registry = self.look("aliases.yaml")

    def forget(self, file: str) -> None:
        del self.texts[file]
        self.good.pop(file, None)

    @invariant()
    def what_is_served_is_what_last_was_good(self) -> None:
        with tempfile.TemporaryDirectory() as other:
            base = Path(other)
            (base / "workspace/.codex").mkdir(parents=True)
            for file, text in self.texts.items():
                (base / file).parent.mkdir(parents=True, exist_ok=True)
                (base / file).write_text(self.good.get(file, text))
            if self.alias:
                (base / "workspace/.codex/aliases.yaml").write_text(self.alias)
            wanted = self.look(base=base)
            assert served(self.registry, self.base) == served(wanted, base)

    @invariant()
    def each_file_is_as_a_first_look_has_it_but_for_what_is_stale(self) -> None:
        fresh = {entry.path: entry for entry in self.look().entries}
        assert [entry.path for entry in self.registry.entries] == list(fresh)
        stale = {entry.path for entry in self.registry.entries if entry.stale}
        broken = (file for file, text in self.texts.items() if text == BROKEN)
        assert stale == {self.base / file for file in broken if file in self.good}
        for entry in self.registry.entries:
            if not entry.stale:
                assert own(entry) == own(fresh[entry.path])


def own(entry: AgentEntry) -> object:
    """All of an entry but what other files make of it."""
    return entry.definition, [each for each in entry.diagnostics if each.code != "shadowed"]


def served(registry: Registry, base: Path) -> object:
    """What agents there are, and what is remarked on aliases, wherever the files stand."""
    rows = [
        (
            str(entry.path).removeprefix(str(base)),
            entry.slug,
            entry.definition and (entry.definition.name, entry.definition.description),
            entry.shadowed_by and str(entry.shadowed_by).removeprefix(str(base)),
            any(each.code == "shadowed" for each in entry.diagnostics),
        )
        for entry in registry.entries
    ]
    remarks = [(each.line, each.message) for each in registry.diagnostics]
    return rows, registry.aliases, remarks


Reloading.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestReloading = Reloading.TestCase
