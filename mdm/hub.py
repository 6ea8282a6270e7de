"""Where the hub's own database is: on a server of the user's choice, or on the embedded one."""

from golden_records import reference
from mdm import cluster, db, embedded
from mdm.embedded import EmbeddedServer
from mdm.errors import MdmError
from mdm.settings import Settings

DATABASE = "hub"


class HubAbsent(MdmError):
    """There is no hub, or none that runs; the message says how to get one."""


def dsn(settings: Settings) -> str:
    """Return the DSN of the hub's database; the embedded server is started for it and goes on running."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return embedded.start(settings.hub_folder).ensure_database(DATABASE)


def running_dsn(settings: Settings) -> str:
    """Return the DSN of the hub's database without starting anything; raises HubAbsent."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    server = embedded.find(settings.hub_folder)
    if server is not None and server.has_database(DATABASE):
        return server.dsn(DATABASE)
    place = settings.data_folder.resolve()
    if server is not None or cluster.major_version(settings.hub_folder) is None:
        raise HubAbsent(
            f"There is no hub in {place} yet: run 'mdm init' to make one, or set MDM_DATABASE_URL to where one is."
        )
    raise HubAbsent(f"The hub in {place} does not run: start it with 'mdm db start'.")


def start_embedded(settings: Settings) -> list[EmbeddedServer]:
    """Start the embedded servers that these settings call for: the market's always, the hub's without a DSN."""
    folders = [settings.market_folder] if settings.database_url else [settings.market_folder, settings.hub_folder]
    return [embedded.start(folder) for folder in folders]


def stop_embedded(settings: Settings) -> int:
    """Stop the embedded servers that run on the data folder; return how many did."""
    return sum(embedded.stop(folder) for folder in (settings.market_folder, settings.hub_folder))


def initialise(settings: Settings) -> str:
    """Bring the hub's database to the present schema and standing data; return its DSN."""
    address = dsn(settings)
    db.upgrade(address)
    with db.connect(address) as connection, db.transaction(connection):
        reference.write_standing(connection)
    return address
