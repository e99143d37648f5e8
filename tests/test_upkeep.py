"""The files that maintainers and GitHub read are valid, and agree with the package."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from relativenas_optuna import __version__

ROOT = Path(__file__).parents[1]
WORKFLOW = ".github/workflows/tests.yml"
DOCS_WORKFLOW = ".github/workflows/docs.yml"


def read(file: str) -> Any:
    return yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("citation-file-format", ["CITATION.cff"]),
        ("github-workflows", [WORKFLOW, DOCS_WORKFLOW]),
        ("github-issue-config", [".github/ISSUE_TEMPLATE/config.yml"]),
        (
            "github-issue-forms",
            [f".github/ISSUE_TEMPLATE/{name}.yml" for name in ("bug_report", "feature_request")],
        ),
    ],
)
def test_file_has_the_form_that_its_reader_asks_for(schema: str, files: list[str]) -> None:
    checked = run("-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_citation_names_this_version_and_the_papers_of_the_readme() -> None:
    citation = read("CITATION.cff")
    assert citation["version"] == __version__
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    cited = {f"https://doi.org/{paper['doi']}" for paper in citation["references"]}
    assert cited == set(re.findall(r"https://doi\.org/[^)]+", readme))


def test_workflow_runs_the_ci_script_on_the_databases_that_it_expects() -> None:
    job = read(WORKFLOW)["jobs"]["tests"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    addresses = re.findall(r"root@127\.0\.0\.1:(\d+)/(\w+)", (ROOT / ".ci/run").read_text())
    services = job["services"].values()
    ports = [service["ports"][0].partition(":")[0] for service in services]
    names = [
        value
        for service in services
        for key, value in service["env"].items()
        if key.endswith(("_DB", "_DATABASE"))
    ]
    assert list(zip(ports, names, strict=True)) == addresses


def test_workflow_tests_every_python_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = read(WORKFLOW)["jobs"]["tests"]["strategy"]["matrix"]["python"]
    assert f">={versions[0]}" == project["requires-python"]
    classifier = "Programming Language :: Python :: "
    named = [one.removeprefix(classifier) for one in project["classifiers"]]
    assert [one for one in named if re.fullmatch(r"3\.\d+", one)] == versions


@pytest.mark.parametrize(
    ("workflow", "job", "sessions"),
    [(DOCS_WORKFLOW, "docs", ["docs", "docs_version"]), (WORKFLOW, "platforms", ["platforms"])],
)
def test_workflow_runs_sessions_that_exist(workflow: str, job: str, sessions: list[str]) -> None:
    commands = [step.get("run", "") for step in read(workflow)["jobs"][job]["steps"]]
    assert re.findall(r"nox -s (\w+)", "\n".join(commands)) == sessions
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert all(f"def {session}(session: nox.Session)" in noxfile for session in sessions)


def test_a_tag_of_a_version_deploys_the_site() -> None:
    # YAML 1.1 reads the key "on" as True.
    assert read(DOCS_WORKFLOW)[True] == {"push": {"tags": ["v*"]}}


def test_pre_commit_configuration_is_valid_and_its_session_exists() -> None:
    checked = run("-m", "pre_commit", "validate-config", ".pre-commit-config.yaml")
    assert checked.returncode == 0, checked.stdout
    hooks = read(".pre-commit-config.yaml")["repos"][0]["hooks"]
    (session,) = [hook["entry"].removeprefix("nox -s ") for hook in hooks if hook["id"] == "mypy"]
    assert f"def {session}(session: nox.Session)" in (ROOT / "noxfile.py").read_text()


def test_release_notes_are_the_part_of_the_changelog_with_that_version(tmp_path: Path) -> None:
    printed = run("tools/release_notes.py", __version__)
    assert printed.returncode == 0, printed.stderr
    assert "\n### Sampler\n" in "\n" + printed.stdout
    assert not re.search("^## ", printed.stdout, re.M)
    (tmp_path / "tools").mkdir()
    script = tmp_path / "tools/release_notes.py"
    script.write_bytes((ROOT / "tools/release_notes.py").read_bytes())
    (tmp_path / "CHANGELOG.md").write_text("## 0.2.0\n\n- B\n\n## 0.1.0 (May)\n\n- A\n")
    assert run(str(script), "0.2.0").stdout == "- B\n"
    assert run(str(script), "0.1.0").stdout == "- A\n"


def test_release_notes_of_an_unknown_version_are_refused_with_the_versions_there_are() -> None:
    refused = run("tools/release_notes.py", "9.9.9")
    assert refused.returncode == 2
    assert "has no heading '## 9.9.9'" in refused.stderr
    assert __version__ in refused.stderr
