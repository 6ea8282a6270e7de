"""Routines: steps of mastering as functions of the session's own, one call for what would be many statements.

To send a statement and to take it costs both sides about as much as it costs to run it on a few rows. Plans are made
and kept as those of statements that are sent one by one, under the session's settings at that time.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg

_DEFINITION = """
create function pg_temp.{name}({parameters}) returns bigint language plpgsql as $routine$
#variable_conflict use_column
declare _found bigint := 0; _more bigint := 0;
begin
{body}
return _found;
end $routine$
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """Statements under one name; what stands as %(name)s in them is the parameter of that name.

    A statement may leave a count in _found, which the call returns; _more is free for another.
    """

    name: str
    statements: Sequence[str]
    parameters: Sequence[str] = ()  # each a name and a type

    def create(self, connection: psycopg.Connection) -> None:
        """Create it in a session that does not have it yet."""
        body = ";\n".join(re.sub(r"%\((\w+)\)s", r"_\1", statement) for statement in self.statements)
        parameters = ", ".join(f"_{parameter}" for parameter in self.parameters)
        connection.execute(_DEFINITION.format(name=self.name, parameters=parameters, body=f"{body};"))

    def call(self, connection: psycopg.Connection, *arguments: object) -> psycopg.Cursor:
        """Run it; found() reads from the result how many rows it found."""
        return connection.execute(f"select pg_temp.{self.name}({', '.join(['%s'] * len(arguments))})", arguments)


def found(called: psycopg.Cursor) -> int:
    """Return what a routine has counted."""
    row = called.fetchone()
    return int(row[0]) if row else 0


def frames(*statements: str) -> tuple[str, ...]:
    """Have statements that read staged rows alone planned without nested loops: how many is not known beforehand."""
    return ("set local enable_nestloop = off", *statements, "set local enable_nestloop = on")


def hashed(*statements: str) -> tuple[str, ...]:
    """Have statements planned without sorting: keys are hashed, since how many they are is not known beforehand."""
    return ("set local enable_sort = off", *statements, "set local enable_sort = on")


def locked(query: str, *, total: str = "_found") -> str:
    """Run a query that locks rows, and count them."""
    return f"select count(*) into {total} from ({query}) locked"


def at_once(statement: str) -> str:
    """Run a statement that locks without waiting; where it cannot, the transaction is to be tried again."""
    return f"""
begin
{statement};
exception when lock_not_available then
    raise serialization_failure using message = 'what is to be locked is being mastered: it is tried again';
end"""


def when(condition: str, statements: Iterable[str]) -> str:
    """Run statements on a condition."""
    return f"if {condition} then\n{';'.join(statements)};\nend if"
