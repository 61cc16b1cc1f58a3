import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.text.fold import Keyword, Words, fold


def found(keyword: str, text: str) -> str | None:
    span = Words(text).find(Keyword.parse(keyword))
    return text[span[0] : span[1]] if span else None


SPELLINGS = ["pre-training", "pretraining", "pre training"]


@pytest.mark.parametrize("keyword", SPELLINGS)
@pytest.mark.parametrize("spelling", [*SPELLINGS, "Pre-Training", "PRETRAINING", "pre‐training"])
def test_hyphen_blank_and_joined_spellings_are_one(keyword: str, spelling: str) -> None:
    assert found(keyword, f"We study {spelling} here.") == spelling


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        pytest.param("language model", "Large language models.", "language models", id="plural in the text"),
        pytest.param("language models", "A language model", "language model", id="plural in the keyword"),
        pytest.param("taxonomy", "Two taxonomies", "taxonomies", id="plural in ies"),
        pytest.param("taxonomies", "One taxonomy", "taxonomy", id="singular of ies"),
        pytest.param("benchmark", "Benchmarks", "Benchmarks", id="plural and case"),
        pytest.param("bias", "Two biases", "biases", id="plural of a word in s"),
        pytest.param("news", "A new paper", None, id="news is not the plural of new"),
        pytest.param("means", "The mean", None, id="means is not the plural of mean"),
        pytest.param("robotics", "robotic arm", None, id="ics ends no plural"),
        pytest.param("dos", "do", None, id="too short for a plural"),
        pytest.param("analysis", "Analysis", "Analysis", id="is ends no plural"),
        pytest.param("transform*", "A Transformer", "Transformer", id="prefix"),
        pytest.param("image transform*", "image-transformation rules", "image-transformation", id="prefix of a phrase"),
        pytest.param("transform", "A Transformer", None, id="no prefix without star"),
        pytest.param("rag", "storage and fragments", None, id="whole words only"),
        pytest.param("Erdős", "The Erdos problem", "Erdos", id="accent in the keyword"),
        pytest.param("Erdos", "The Erdős problem", "Erdős", id="accent in the text"),
        pytest.param("Erdos", "The Erdo\u030bs problem", "Erdo\u030bs", id="decomposed accent"),
        pytest.param("Lukasz", "Łukasz", "Łukasz", id="stroke"),
        pytest.param("strasse", "Straße", "Straße", id="folding that changes the length"),
        pytest.param("efficient", "an eﬃcient way", "eﬃcient", id="ligature"),
        pytest.param("C++", "in C++ and C", "C++", id="C++"),
        pytest.param("C#", "C or C#", "C#", id="C#"),
        pytest.param("深度学习", "我们用深度学习方法", "深度学习", id="CJK inside a sentence"),
        pytest.param("GPT-3.5", "with GPT-3.5.", "GPT-3.5", id="dot inside a name"),
        pytest.param("Parkinson disease", "Parkinson's disease", "Parkinson's disease", id="possessive"),
        pytest.param("vision-language", "vision/language models", "vision/language", id="slash"),
        pytest.param("state space", "in any state. Space is", None, id="not over the end of a sentence"),
        pytest.param("mean field", "the mean = field", None, id="not over an operator"),
        pytest.param("R&D", "in R&D labs", "R&D", id="ampersand inside"),
        pytest.param("state space", "state (space)", None, id="not into brackets"),
        pytest.param("therapist", "the rapist", None, id="no joining over an article"),
        pytest.param("gan", "g an", None, id="no joining of single letters"),
        pytest.param("nonlinear", "non linear", "non linear", id="joining over a blank"),
        pytest.param("soft-max", "softmaxes", "softmaxes", id="joined and plural"),
    ],
)
def test_finds_what_a_reader_means(keyword: str, text: str, expected: str | None) -> None:
    assert found(keyword, text) == expected


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        pytest.param("RL", "offline RL works", "RL", id="alone"),
        pytest.param("RL", "RL-based", "RL", id="before a hyphen"),
        pytest.param("RL", "see the url, rl", None, id="not in lower case"),
        pytest.param("SAM", "Sam and the same", None, id="not a name"),
        pytest.param("SAM", "two SAMs", "SAMs", id="plural"),
        pytest.param("CLIP", "we clip gradients; CLIP", "CLIP", id="not the verb"),
        pytest.param("AI", "let A = I, A × I, A|I", None, id="not over an operator"),
        pytest.param("GPT-4", "GPT4 and", "GPT4", id="hyphen left out"),
        pytest.param("RLHF2", "rlhf2", None, id="five characters are an acronym"),
        pytest.param("RLHFX2", "rlhfx2", "rlhfx2", id="six characters are a word"),
        pytest.param("ViT", "a vit", "vit", id="mixed case is a word"),
    ],
)
def test_short_upper_case_keywords_are_acronyms(keyword: str, text: str, expected: str | None) -> None:
    assert found(keyword, text) == expected


@pytest.mark.parametrize("keyword", ["", " ", "*", "--", "“”", "\u200b"])
def test_a_keyword_without_letters_is_refused(keyword: str) -> None:
    with pytest.raises(ValueError, match="no letter or digit"):
        Keyword.parse(keyword)


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


WORD = st.text(st.sampled_from(string.ascii_lowercase), min_size=2, max_size=8)


@given(before=st.text(max_size=20), words=st.lists(WORD, min_size=1, max_size=3), after=st.text(max_size=20))
def test_a_phrase_is_found_wherever_it_stands(before: str, words: list[str], after: str) -> None:
    phrase = " ".join(words)

    assert found(phrase, f"{before} . {phrase} . {after}") is not None


@given(st.text(max_size=80), st.text(min_size=1, max_size=10))
def test_what_is_found_folds_to_what_was_sought(text: str, keyword: str) -> None:
    try:
        parsed = Keyword.parse(keyword)
    except ValueError:
        return

    span = Words(text).find(parsed)

    if span and not parsed.is_prefix:
        assert Words(text[span[0] : span[1]]).find(parsed) == (0, span[1] - span[0])


@given(st.from_regex(r"[A-Za-z]{1,8}([ -][A-Za-z]{1,8}){0,3}\*?", fullmatch=True))
def test_a_plain_keyword_is_read_as_one_that_has_to_be_taken_apart(text: str) -> None:
    plain, other = Keyword.parse(text), Keyword.parse(f" {text}")

    assert (plain.forms, plain.splits, plain.is_prefix, plain.is_acronym) == (
        other.forms,
        other.splits,
        other.is_prefix,
        other.is_acronym,
    )


@pytest.mark.parametrize(
    ("keyword", "text", "is_found"),
    [
        (".NET", "an app in .NET.", True),
        (".NET", "an app in .Net", True),
        (".net", "(.NET)", True),
        (".NET", "a NET gain", False),
        ("NET", "an app in .NET", False),
        (".NET", "ASP.NET", False),
    ],
)
def test_dot_net_is_a_word_of_its_own(keyword: str, text: str, is_found: bool) -> None:
    assert (Words(text).find(Keyword.parse(keyword)) is not None) is is_found
