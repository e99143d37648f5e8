"""The OptunaHub packages have the registry's form, and their examples run as a user runs them."""

import re
import runpy
import shutil
from pathlib import Path

import optuna
import pytest
import yaml
from packaging.requirements import Requirement

import relativenas_optuna

ROOT = Path(__file__).parents[1]
REGISTRY = ROOT / "optunahub-registry/package"
PACKAGES = ("samplers/relative_nas", "samplers/migo")


@pytest.fixture
def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the packages where `optunahub.load_module` keeps what it has downloaded."""
    cached = tmp_path / "github.com/optuna/optunahub-registry/main/package"
    shutil.copytree(REGISTRY, cached)
    monkeypatch.setenv("OPTUNAHUB_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("package", PACKAGES)
def test_front_matter_has_the_fields_and_types_of_the_registry(package: str) -> None:
    _, front_matter, page = (REGISTRY / package / "README.md").read_text().split("---\n", 2)
    fields = yaml.safe_load(front_matter)
    lists = {"tags", "optuna_versions"}
    assert set(fields) == {"author", "title", "description", "license"} | lists
    for name, field in fields.items():
        texts = field if name in lists else [field]
        assert texts
        assert all(isinstance(text, str) for text in texts)
    assert fields["license"] == "MIT License"
    assert package.partition("/")[0].removesuffix("s") in fields["tags"]
    headings = re.findall(r"^## (.+)$", page, re.M)
    assert headings == [
        "Abstract",
        "Class or Function Names",
        "Installation",
        "Example",
        "Others",
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_package_has_the_project_license_and_requires_the_project(package: str) -> None:
    folder = REGISTRY / package
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    requirement = Requirement((folder / "requirements.txt").read_text().strip())
    assert requirement.name == "relativenas-optuna"
    assert relativenas_optuna.__version__ in requirement.specifier


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.usefixtures("downloaded")
def test_example_runs(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(REGISTRY / package / "example.py"), run_name="__main__")
    loss = float(capsys.readouterr().out.split()[0])
    assert loss < 0.5


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.usefixtures("downloaded")
def test_code_of_the_page_runs(package: str, tmp_path: Path) -> None:
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (REGISTRY / package / "README.md").read_text(), re.M | re.S
    )
    script = tmp_path / "page.py"
    script.write_text(code)
    study = runpy.run_path(str(script))["study"]
    assert isinstance(study, optuna.Study)
    assert study.best_value < 0.5
