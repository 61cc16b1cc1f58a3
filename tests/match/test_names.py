import pytest

from digest.match.names import Name


@pytest.mark.parametrize(
    ("followed", "printed", "same"),
    [
        pytest.param("Yann LeCun", "Yann LeCun", True, id="as printed"),
        pytest.param("Yann LeCun", "LeCun, Yann", True, id="last first"),
        pytest.param("He, Kaiming", "Kaiming He", True, id="followed as last first"),
        pytest.param("Yann LeCun", "Y. LeCun", True, id="initial printed"),
        pytest.param("Y. LeCun", "Yann LeCun", True, id="initial followed"),
        pytest.param("Yann LeCun", "Yann Le Cun", True, id="family name in two words"),
        pytest.param("Yann LeCun", "Y. A. LeCun", True, id="further initial"),
        pytest.param("Jean-Pierre Martin", "J.-P. Martin", True, id="hyphenated given name"),
        pytest.param("Jean-Pierre Martin", "JP Martin", True, id="joined initials"),
        pytest.param("Paul Erdős", "Paul Erdos", True, id="accent"),
        pytest.param("van den Oord, Aaron", "Aäron van den Oord", True, id="particles"),
        pytest.param("Kaiming He", "Kaiming Hesse", False, id="family name goes on"),
        pytest.param("Kaiming He", "Xiaoming He", False, id="other given name"),
        pytest.param("Kaiming He", "X. He", False, id="other initial"),
        pytest.param("Kaiming He", "He", False, id="family name alone is not enough"),
        pytest.param("He, Kaiming", "He Kaiming", False, id="a comma fixes the family name"),
        pytest.param("Ada Example Jr.", "Ada Example", True, id="suffix"),
        pytest.param("Ada Example, Jr.", "Ada Example", True, id="suffix after a comma"),
        pytest.param("Jun-Yan Zhu", "Jun Zhu", False, id="hyphenated and plain given name"),
        pytest.param("Jun-Yan Zhu", "J.-Y. Zhu", True, id="hyphenated initials"),
        pytest.param("Jun-Yan Zhu", "J. Zhu", True, id="first initial only"),
        pytest.param("Jun-Yan Zhu", "Junyan Zhu", True, id="given name joined"),
        pytest.param("Jun-Yan Zhu", "Jun Yan Zhu", True, id="given name in two words"),
        pytest.param("Wei Li", "Wei-Hua Li", False, id="plain and hyphenated given name"),
        pytest.param("Fei-Fei Li", "Li Fei-Fei", True, id="family name first, told by the hyphen"),
        pytest.param("Wei Li", "Li Wei", False, id="family name first, not told"),
        pytest.param("Yann André LeCun", "Yann A. LeCun", True, id="middle initial"),
        pytest.param("Yann André LeCun", "Yann LeCun", True, id="middle name left out"),
        pytest.param("Yann André LeCun", "Yann B. LeCun", False, id="other middle initial"),
        pytest.param("Yann André LeCun", "Yann Adam LeCun", False, id="other middle name with the same initial"),
        pytest.param("Wen-Li Jun-Yan", "Jun-Yan Wen-Li", False, id="both hyphenated, order not told"),
        pytest.param("Y.A. LeCun", "Yann LeCun", True, id="initials without blank"),
        pytest.param("J. Smith", "ﾞ Smith", False, id="a sound mark of which nothing is left"),
        pytest.param("LIGO", "LIGO", True, id="one word"),
        pytest.param("王伟", "王伟", True, id="Han"),
    ],
)
def test_names_agree_when_they_may_be_one_person(followed: str, printed: str, same: bool) -> None:
    assert Name.parse(followed).same_as(Name.parse(printed)) is same
    assert Name.parse(printed).same_as(Name.parse(followed)) is same


@pytest.mark.parametrize("text", ["", ",", "-, .", "  "])
def test_a_name_without_letters_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no letter"):
        Name.parse(text)
