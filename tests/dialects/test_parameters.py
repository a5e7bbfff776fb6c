"""The page about request fields says what the dialects do."""

from tests.dialects.parameter_table import FIELDS, PAGE, outcome, written


def test_the_table_of_the_page_is_what_the_dialects_do() -> None:
    page = PAGE.read_text()
    assert written(page) == page, "write it anew: python -m tests.dialects.parameter_table"


def test_openai_servers_get_every_field_as_it_came() -> None:
    assert {outcome("openai", fields) for fields in FIELDS.values()} == {"sent"}
