"""The page of a study: all in one file, names escaped, and reasons for missing parts."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import optuna
import pytest

from relativenas_optuna.dashboard.html_report.page import page_of
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import call

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
DATABASE = "sqlite:///relativenas.db"
NAME = """</title></script><script>alert(1)</script><b>it's/"quoted"</b> {{ 7 * 7 }} &amp;"""


class Page(HTMLParser):
    """A parsed page: its elements with their attributes, and its texts by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open = [""]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1], data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        words = (text for tag, text in self.texts if tag not in ("script", "style"))
        return " ".join(" ".join(words).split())

    @property
    def figures(self) -> dict[str, Any]:
        (text,) = (t for tag, t in self.texts if tag == "script" and t.startswith('{"colours"'))
        return dict(json.loads(text)["figures"])


def shown(study: optuna.Study, *, storage: str = "sqlite://", top: int = 3) -> Page:
    return Page(page_of(study, storage=storage, made_by="relativenas report", top=top))


def hostile_study(**options: Any) -> optuna.Study:
    study = optuna.create_study(
        study_name=NAME, sampler=optuna.samplers.RandomSampler(seed=0), **options
    )
    study.enqueue_trial({NAME: 0.5})

    def objective(trial: optuna.Trial) -> list[float]:
        value = trial.suggest_float(NAME, 0, 1)
        trial.set_user_attr("genotype", NAME)
        trial.set_user_attr("parameters", NAME)
        trial.set_user_attr("multiply_adds", [NAME])
        return [value] * len(study.directions)

    study.optimize(objective, n_trials=3)
    return study


def test_a_search_is_one_page_that_needs_nothing_else(finished: Path, capfd: Capture) -> None:
    digest = hashlib.sha256((finished / "relativenas.db").read_bytes()).hexdigest()
    outcome = call(capfd, "report", "mine", "--top", "2")
    assert (outcome.status, outcome.err) == (0, "")
    file = finished / "relativenas-out" / "mine" / "report.html"
    assert outcome.out.startswith("written:    relativenas-out/mine/report.html (")
    assert hashlib.sha256((finished / "relativenas.db").read_bytes()).hexdigest() == digest
    page = Page(file.read_text(encoding="utf-8"))
    assert not page.of("link") + page.of("iframe") + page.of("object")
    assert not [a for a in page.of("script") if "src" in a]
    sources = [a["src"] or "" for a in page.of("img")]
    assert len(sources) == 2
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    (policy,) = (a["content"] for a in page.of("meta") if "http-equiv" in a)
    assert (policy or "").startswith("default-src 'none';")
    with storage_at(DATABASE, read_only=True) as storage:
        choice = Choice.stored_in(optuna.load_study(study_name="mine", storage=storage))
    assert choice is not None
    assert choice.winner.genotype.to_text().splitlines()[1].partition(" | ")[0] in page.text
    assert f"{100 * choice.winner.accuracy:.2f} %" in page.text
    assert set(page.figures) == {a["id"] for a in page.of("div") if a.get("class") == "plot"}
    assert len(page.figures) == 5
    assert "relativenas report mine --top 2" in page.text
    assert "batch size" in page.text
    assert f"optuna {optuna.__version__}" in page.text


@pytest.mark.parametrize("directions", [["minimize"], ["maximize", "minimize"]])
def test_names_and_values_from_elsewhere_are_text(directions: list[Any]) -> None:
    page = shown(hostile_study(directions=directions))
    assert [text for tag, text in page.texts if tag == "title"] == [f"{NAME} – relativenas report"]
    assert [text for tag, text in page.texts if tag == "h1"] == [NAME]
    assert len(page.of("script")) == 3
    assert NAME in [text for tag, text in page.texts if tag == "pre"]  # the architecture


def test_a_study_of_another_sampler_says_what_it_lacks() -> None:
    page = shown(hostile_study())
    assert list(page.figures) == ["history"]
    assert "no trial here has an architecture of two cells" in page.text
    assert "another sampler made them" in page.text
    assert "The study does not say its settings" in page.text
    assert "Another program than relativenas search made the study" in page.text
    assert not page.of("img")


def test_four_objectives_are_a_page_too() -> None:
    study = optuna.create_study(directions=["minimize"] * 4)
    study.optimize(lambda t: [t.suggest_float("x", 0, 1)] * 4, n_trials=3)
    assert "history" in shown(study).figures  # Optuna's warnings would be errors


def test_a_study_without_trials_is_a_page_too() -> None:
    page = shown(optuna.create_study(study_name="empty"))
    assert "No trial of this study is complete" in page.text
    assert page.figures == {}


def test_a_password_is_not_in_the_page() -> None:
    storage = "postgresql://me:secret@host/name"
    page = shown(optuna.create_study(study_name="s"), storage=storage)
    assert "postgresql://me:***@host/name" in page.text
    assert "secret" not in page.text


@pytest.mark.usefixtures("finished")
def test_the_page_is_written_to_the_asked_file_or_folder(tmp_path: Path, capfd: Capture) -> None:
    deeper = tmp_path / "a" / "b.html"
    data = json.loads(call(capfd, "report", "mine", "--out", deeper, "--json").out)
    assert data == {"study": "mine", "report": str(deeper)}
    assert deeper.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert call(capfd, "report", "--study", "mine", "--out", tmp_path, "-q").out == ""
    line = call(capfd, "report", "mine", "--study", "other").line
    assert "name two studies, 'mine' and 'other'" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "report.html"]


@pytest.mark.usefixtures("folder")
def test_the_command_in_the_page_makes_it_again_whatever_the_name(
    folder: Path, capfd: Capture
) -> None:
    with storage_at(DATABASE) as storage:
        optuna.create_study(storage=storage, study_name="-x")
    assert call(capfd, "report", "--study", "-x").status == 0
    (page,) = folder.glob("*.html")
    (made_by,) = re.findall(r"<pre>\S*relativenas (report .*)</pre>", page.read_text())
    page.unlink()
    assert call(capfd, *shlex.split(made_by)).status == 0
    assert page.exists()


def test_a_page_that_cannot_be_made_leaves_the_old_one(folder: Path, capfd: Capture) -> None:
    with storage_at(DATABASE) as storage:
        optuna.create_study(storage=storage, study_name="a/b")
        assert call(capfd, "report", "a/b").status == 0
        (page,) = folder.glob("*.html")
        assert page.name == "a%2Fb-report.html"
        before = page.read_bytes()
    assert "'missing' is not in the storage" in call(capfd, "report", "missing").line
    assert "a study needs a name" in call(capfd, "report", "").line
    (folder / "file").write_text("no folder")
    assert "another with --out" in call(capfd, "report", "a/b", "--out", "file/x.html").line
    assert page.read_bytes() == before
