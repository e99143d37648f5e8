from pathlib import Path

from relativenas_optuna.dashboard import artifact_folder


def test_drawings_are_in_the_folder_of_the_search_wherever_it_is_mounted() -> None:
    assert (
        artifact_folder("/mnt/mine")
        == artifact_folder(Path("/mnt/mine"))
        == Path("/mnt/mine/artifacts")
    )
