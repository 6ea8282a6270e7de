"""A table that refuses rows, as PostgreSQL does with what nobody has thought of: by a trigger that raises."""


def refusing(table: str, condition: str, *, sqlstate: str = "22003", on: str = "insert") -> str:
    """Return what makes a table of the hub refuse the rows `new` of a condition; `drop trigger refuse` ends it."""
    schema, _, _ = table.partition(".")
    return f"""
        create function {schema}.refuse() returns trigger language plpgsql as $$
        begin
            if {condition} then
                raise exception 'refused' using errcode = '{sqlstate}';
            end if;
            return new;
        end
        $$;
        create trigger refuse before {on} on {table} for each row execute function {schema}.refuse();
    """
