"""The hub of a demo."""

from pathlib import Path

from pydantic import SecretStr

from mdm import db, hub
from mdm.demo import installation, reference
from mdm.embedded import EmbeddedServer
from mdm.settings import Settings
from tests import databases

_PARTICIPANTS = "select mpid, role from golden.participant order by mpid, role"


def test_the_hub_of_a_demo_alone_knows_the_simulated_markets_participants(
    hub_server: EmbeddedServer, tmp_path: Path
) -> None:
    with databases.fresh(hub_server) as dsn:
        settings = Settings(data_folder=tmp_path, database_url=SecretStr(dsn))
        hub.initialise(settings)
        with db.connect(dsn) as connection:
            assert connection.execute(_PARTICIPANTS).fetchall() == []
            for _start in range(2):
                with installation.open_hub(settings) as address:
                    assert address == dsn
            known = sorted((each.mpid, each.role.value) for each in reference.participants())
            assert connection.execute(_PARTICIPANTS).fetchall() == known
