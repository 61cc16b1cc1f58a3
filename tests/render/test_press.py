import quopri
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest.errors import RenderError
from digest.model import Score
from digest.render.compile import Template
from digest.render.language import find_language
from digest.render.parts import HTML_SIDE, TEXT_SIDE, Node, Sheet, Slot, Stock
from digest.render.press import Gap, Press

Write = Callable[..., Template]
ENGLISH = find_language("en")


def joined(template: Template, side: int, **slots: str) -> str:
    sheet = Sheet("layout", lambda: {"reader": {"name": Gap("reader.name"), "unsubscribe": Gap("reader.unsubscribe")}})
    root = Node(sheet, {name.replace("_", "."): Slot(value) for name, value in slots.items()})
    encoded = Press(template, ENGLISH).join(root, side)
    assert max(map(len, encoded.split(b"\r\n"))) <= 76
    assert b"\n" not in encoded.replace(b"\r\n", b"")
    return quopri.decodestring(encoded.replace(b"\r\n", b"\n")).decode()


@given(text=st.text(st.characters(exclude_categories=["C"]), max_size=300) | st.text("<>&\"' ab", max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_what_stands_in_a_slot_is_text_and_nothing_else(slotted: Template, text: str) -> None:
    html = joined(slotted, HTML_SIDE, reader_name=text)

    [cell] = lxml_html.document_fromstring(html.encode()).xpath("//i")
    assert "".join(cell.itertext()).split() == text.split()
    assert not cell.xpath("./*")


@pytest.fixture
def slotted(write_template: Write) -> Template:
    return write_template("<mj-text><i>{{ reader.name }}</i></mj-text>", text="{{ reader.name }}\n")


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("{% if reader.name %}x{% endif %}", id="tested"),
        pytest.param("{% if reader.name == 'Ada' %}x{% endif %}", id="compared"),
        pytest.param("{{ reader.name | length }}", id="measured"),
        pytest.param("{{ reader.name | upper }}", id="changed"),
        pytest.param("{{ reader.unsubscribe | urlencode }}", id="encoded"),
        pytest.param("{{ reader.name | wrap }}", id="wrapped"),
    ],
)
@pytest.mark.parametrize("side", [HTML_SIDE, TEXT_SIDE])
def test_what_differs_from_reader_to_reader_can_only_be_printed(write_template: Write, tag: str, side: int) -> None:
    template = write_template(f"<mj-text>{tag}</mj-text>", text=tag)

    with pytest.raises(RenderError) as caught:
        joined(template, side, reader_name="Ada", reader_unsubscribe="mailto:x")

    assert caught.value.where.startswith("templates/mine/layout.")


def test_a_stock_forgets_what_is_not_asked_for_and_keeps_what_is() -> None:
    stock = Stock()
    sheets = {number: stock.put(number, Sheet("card", dict)) for number in range(20_000) if stock.find(0) or True}

    assert stock.find(0) is sheets[0], "asked for all the time"
    assert stock.find(19_999) is sheets[19_999]
    assert stock.find(1) is None
    assert len(stock.young) <= 3_001


def test_equal_evidence_has_one_number_and_other_evidence_another() -> None:
    stock = Stock()

    numbers = [stock.number(tuple(f"{kind}{number}" for kind in "ab")) for number in (1, 2, 1, 2, 3)]

    assert numbers == [1, 2, 1, 2, 3]
    for number in range(100_000):
        stock.number((number,))
    assert stock.number(("a1", "b1")) not in numbers[1:], "a number is never given again to something else"


def test_a_score_is_said_once() -> None:
    said = []

    def say(score: Score) -> str:
        said.append(score)
        return f"{score.match:.1f}"

    stock = Stock()
    slots = [stock.score(Score(match=match), say) for match in (1.0, 2.0, 1.0, 1.04)]

    assert [slot.text for slot in slots] == ["1.0", "2.0", "1.0", "1.0"]
    assert slots[0] is slots[2]
    assert len(said) == 3
