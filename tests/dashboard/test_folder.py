from pathlib import Path

from relativenas_optuna.dashboard import artifact_folder


def test_default_folders_share_one_and_another_has_its_own() -> None:
    shared = Path("/home/me/relativenas-out")
    assert (
        artifact_folder(shared / "a") == artifact_folder(str(shared / "b")) == shared / "artifacts"
    )
    assert artifact_folder("/data/mine") == Path("/data/mine/artifacts")
