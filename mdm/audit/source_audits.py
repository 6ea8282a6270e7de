"""The audit of a source's own database: the rules on what its tables say, in a session that writes nothing there.

The rows are laid out in temporary tables of a transaction that is rolled back, so the role needs the right TEMPORARY on
the source's database, which everybody has unless it was taken away.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from golden_records import audited, reference
from mdm import db
from mdm.audit import putting, said
from mdm.audit.asked import Asked
from mdm.audit.findings import Finding
from mdm.audit.putting import Place
from mdm.audit.source_rows import Reference, SourceRows
from mdm.capture.sources import Source
from rules.model import Rule, Scope

_UNTYPED = "A value there cannot be typed, so the tables cannot be read for it."


def _read_reference(hub: db.Connection) -> Reference:
    names = ("mpid", "role", "valid_from", "valid_to")
    participants = [tuple(each[name] for name in names) for each in reference.list_participants(hub)]
    return Reference(areas=reference.list_areas(hub), participants=participants)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlace:
    """A source to be audited: its declaration, where it is, and where the hub is that knows its records by id."""

    source: Source
    dsn: str
    hub_dsn: str

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.source

    def audit(self, place: Place, asked: Asked) -> Iterator[Finding]:
        """Put the rules that are asked for to the source's tables; yield what each found."""
        with db.connect(self.hub_dsn, application_name="mdm audit") as hub:
            writer = SourceRows(
                source=self.source,
                types=said.read_types(place.session, self.source),
                reference=_read_reference(hub),
            )
            for scope in Scope:
                if rules := asked.rules(scope):
                    yield from self._of_scope(place, (writer, scope, rules), asked, hub)

    def _of_scope(
        self,
        place: Place,
        what: tuple[SourceRows, Scope, Sequence[Rule]],
        asked: Asked,
        hub: db.Connection,
    ) -> Iterator[Finding]:
        writer, scope, rules = what
        rows = writer.rows(scope)
        if rows is None:
            yield from (place.absent(rule, f"The source tells nothing of the scope '{scope}'.") for rule in rules)
            return

        def named(keys: Sequence[str]) -> list[str]:
            return audited.list_names(hub, source=self.name, source_keys=keys)

        try:
            with place.session.transaction():  # a savepoint: what cannot be typed ends this scope alone
                found = list(putting.put_all(place, rows, rules, sample=asked.sample, named=named))
        except psycopg.errors.DataError:
            yield from (
                place.absent(rule, "A value there cannot be typed, so its table is not read.") for rule in rules
            )
            return
        yield from found
