"""What the hub is told from outside: environment variables that begin with MDM_, read once and passed on."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mdm.errors import MdmError

SHIPPED_SOURCES = Path(__file__).parent / "sources"


class SettingsError(MdmError):
    """An environment variable of the hub has a value that cannot be used."""

    exit_code = 2


class LogFormat(StrEnum):
    """How log lines are written."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least serious log lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """The hub's settings; each is the environment variable of the same name with MDM_ before it."""

    model_config = SettingsConfigDict(env_prefix="MDM_", frozen=True, env_ignore_empty=True)

    database_url: SecretStr | None = Field(
        None, description="the hub's database; without it an embedded server is used"
    )
    data_folder: Path = Field(Path(".mdm"), description="where the embedded servers keep their databases")
    sources: Annotated[tuple[Path, ...], NoDecode] = Field(
        (SHIPPED_SOURCES,), description="files and folders of source declarations, with a colon between them"
    )
    api_host: str = Field("127.0.0.1", description="the address on which HTTP is served")
    api_port: int = Field(8420, ge=0, le=65535, description="the port on which HTTP is served")
    batch_rows: int = Field(6_000, ge=1, description="the most changes that one batch masters")
    batch_milliseconds: int = Field(100, ge=0, description="the least that a batch waits to be filled")
    feed_days: float = Field(30, gt=0, description="how long superseded entries stay in the views' feeds")
    match_seconds: int = Field(
        60, ge=0, le=86_400, description="how often what has changed is compared beside capture; 0 for never"
    )
    claim_minutes: float = Field(30, gt=0, le=525_600, description="how long a steward's claim of a task lasts")
    due_days_error: float = Field(1, gt=0, le=3650, description="days until a task of severity E is due")
    due_days_warning: float = Field(5, gt=0, le=3650, description="days until a task of severity W is due")
    rules: Path | None = Field(None, description="a file that switches rules off and sets their parameters")
    approvals: Path | None = Field(None, description="a file that says which decisions another person approves")
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="console or json")
    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error")

    @pydantic.field_validator("sources", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @property
    def hub_folder(self) -> Path:
        """The folder of the embedded server that holds the hub's database."""
        return self.data_folder / "hub"

    @property
    def market_folder(self) -> Path:
        """The folder of the embedded server that holds the simulated market's databases."""
        return self.data_folder / "market"

    def source_files(self) -> tuple[Path, ...]:
        """Return the source declarations, a folder's in the order of their names."""
        return tuple(
            file for path in self.sources for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])
        )


def load() -> Settings:
    """Read the settings; raises SettingsError, which names the variable but not its value."""
    try:
        return Settings()
    except pydantic.ValidationError as error:
        faults = [f"MDM_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors(include_input=False)]
        raise SettingsError(f"{'; '.join(faults)}. Correct the environment variable, then try again.") from None
