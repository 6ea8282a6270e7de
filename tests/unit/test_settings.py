"""Settings come from MDM_ variables and give no secret away."""

from pathlib import Path

import pytest

from mdm import settings
from mdm.settings import SettingsError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(f"MDM_{name.upper()}", raising=False)


def test_without_variables_the_hub_is_embedded_in_the_working_folder() -> None:
    chosen = settings.load()
    assert chosen.database_url is None
    assert chosen.hub_folder == Path(".mdm/hub")
    assert chosen.market_folder == Path(".mdm/market")


def test_password_of_the_database_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDM_DATABASE_URL", "postgresql://mdm:secret@db/hub")
    chosen = settings.load()
    assert "secret" not in repr(chosen)
    assert "secret" not in chosen.model_dump_json()
    assert chosen.database_url is not None
    assert chosen.database_url.get_secret_value() == "postgresql://mdm:secret@db/hub"


def test_sources_are_files_and_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in ("b.yaml", "a.yaml", "README.md"):
        (folder / name).touch()
    monkeypatch.setenv("MDM_SOURCES", f"{tmp_path / 'one.yaml'}:{folder}")
    assert settings.load().source_files() == (tmp_path / "one.yaml", folder / "a.yaml", folder / "b.yaml")


def test_an_empty_variable_is_as_if_it_were_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDM_DATABASE_URL", "")
    assert settings.load().database_url is None


def test_an_error_names_the_variable_and_not_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDM_BATCH_ROWS", "1012345678901x")
    with pytest.raises(SettingsError, match="MDM_BATCH_ROWS") as caught:
        settings.load()
    assert "1012345678901" not in str(caught.value)
