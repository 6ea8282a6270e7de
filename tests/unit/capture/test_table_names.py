import pytest

from mdm.capture import table_names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("public.a,public.b", [["public", "a"], ["public", "b"]]),
        (" a , s.b ", [["a"], ["s", "b"]]),
        ('"My Schema"."T.x,y"', [['"My Schema"', '"T.x,y"']]),
        ('s."a""b"', [["s", '"a""b"']]),
        ("public.Über", [["public", "Über"]]),
    ],
)
def test_names_are_read_as_in_sql(text: str, expected: list[list[str]]) -> None:
    assert table_names.parse(text) == expected


@pytest.mark.parametrize("text", ["", "a,,b", "a.b.c", 'a."b', "a,"])
def test_what_is_no_list_of_names_is_refused(text: str) -> None:
    with pytest.raises(table_names.TableListUnreadable, match="commas"):
        table_names.parse(text)
