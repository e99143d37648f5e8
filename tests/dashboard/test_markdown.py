"""Names and values are escaped, as another reader of Markdown confirms."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from relativenas_optuna.dashboard.markdown import block, large, table, text
from tests.helpers.visualization_studies import HOSTILE

READER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
TEXTS = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" <>&|`*_[]()!"), max_size=150
)


def cells(markdown: str) -> list[str]:
    return re.findall(r"<td[^>]*>(.*?)</td>", READER.render(markdown), re.S)


@given(TEXTS)
def test_a_text_in_a_table_is_itself(given_text: str) -> None:
    for value in (given_text, HOSTILE):
        (name, cell) = cells(table({"name": text(value)}))
        assert name == "name"
        assert "<" not in cell
        assert html.unescape(cell) == " ".join(value.split())


def test_long_texts_are_cut() -> None:
    assert len(text("x" * 10_000)) == 200


@given(st.lists(st.sampled_from(["`", "```", "~~~", "<b>", "x", "\n", "````\n", " "])))
def test_a_block_ends_where_it_should(parts: list[str]) -> None:
    content = "".join(parts)
    rendered = READER.render(f"{block(content)}\n\nafter")
    (shown,) = re.findall(r"<pre><code>(.*?)</code></pre>", rendered, re.S)
    assert html.unescape(shown) == f"{content}\n"
    assert rendered.endswith("<p>after</p>\n")


def test_numbers_are_said_as_people_say_them() -> None:
    assert large(12_345) == "12,345"
    assert large(12_345_678) == "12.3 million (12,345,678)"
    assert large(1_500_000_000) == "1.5 billion (1,500,000,000)"
