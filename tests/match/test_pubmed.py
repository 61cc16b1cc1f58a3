import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.match.parse import parse_query
from digest.match.pubmed import Imported, import_pubmed
from digest.match.query import normal, print_query

DEEP = 300


def printed(search: str) -> str:
    return print_query(import_pubmed(search).query)


def noted(search: str) -> str:
    return "\n".join(import_pubmed(search).notes)


@pytest.mark.parametrize(
    ("search", "query"),
    [
        pytest.param("sleep[tiab]", "sleep", id="title or abstract"),
        pytest.param("Sleep[Title/Abstract]", "Sleep", id="a field in full"),
        pytest.param("sleep[TI] AND apnea [ab]", "title:sleep abstract:apnea", id="title, abstract, a blank before"),
        pytest.param("sleep[tw] OR apnea[All Fields] OR snoring", "sleep OR apnea OR snoring", id="anywhere"),
        pytest.param('"night shift"[tiab]', '"night shift"', id="a phrase"),
        pytest.param("“night shift„[tiab] OR »jet lag«", '"night shift" OR "jet lag"', id="typographic quotes"),
        pytest.param("night shift[tiab]", '"night shift"', id="words with a field are a phrase"),
        pytest.param("night shift workers", "night shift workers", id="words without one may stand apart"),
        pytest.param("snor*[tiab]", "snor*", id="truncated"),
        pytest.param("snor$ OR *apnea", "snor* OR apnea", id="other wildcards"),
        pytest.param("Lopez JM[au]", 'author:"Lopez, J. M."', id="author with initials"),
        pytest.param("lopez j[au]", 'author:"lopez, J."', id="author in lower case"),
        pytest.param("Lopez, Ana[Author]", 'author:"Lopez, Ana"', id="author in full"),
        pytest.param('"Sleep Med"[jour]', 'venue:"Sleep Med"', id="journal"),
        pytest.param('"lag jet"[tiab:~3]', "lag NEAR/3 jet", id="proximity"),
        pytest.param('"a1 b1 c1"[ti:~2]', "title:(a1 NEAR/5 b1) title:(b1 NEAR/5 c1)", id="proximity of three"),
        pytest.param("a1 and b1 Or c1 noT d1", "((a1 b1) OR c1) -d1", id="operators in any case, from left to right"),
        pytest.param("a1 OR b1 AND c1", "(a1 OR b1) c1", id="no operator binds tighter"),
        pytest.param("a1[ti] b1[ti]", "title:a1 title:b1", id="a missing operator is AND"),
        pytest.param("a1 AND NOT b1", "a1 -b1", id="AND NOT"),
        pytest.param("(a1 OR b1)[ti]", "title:a1 OR title:b1", id="a field of a group"),
        pytest.param("UTI OR uti[tiab]", "UTI", id="said twice"),
        pytest.param("NIGHT SHIFT AND SLEEP", "night shift sleep", id="all in capitals"),
    ],
)  # fmt: skip
def test_says_the_same_in_our_words(search: str, query: str) -> None:
    assert import_pubmed(search).query == normal(import_pubmed(search).query)
    assert parse_query(printed(search)) == parse_query(query)


@pytest.mark.parametrize(
    ("heading", "query"),
    [
        pytest.param('"Sleep Apnea"[Mesh]', '"Sleep Apnea"', id="plain"),
        pytest.param('"Bruxism"[mh:noexp]', "Bruxism", id="not exploded"),
        pytest.param('"Apnea, Central"[MeSH Terms]', '"Central Apnea" OR (Apnea Central)', id="inverted"),
        pytest.param('"Snoring/drug therapy"[Majr]', "Snoring", id="with a subheading"),
        pytest.param('"Diaries as Topic"[Mesh]', "Diaries", id="as topic"),
        pytest.param('"melatonin"[Supplementary Concept]', "melatonin", id="substance"),
        pytest.param("exp *Snoring/", "Snoring", id="as Ovid writes it"),
    ],
)
def test_a_heading_becomes_words(heading: str, query: str) -> None:
    assert parse_query(printed(heading)) == parse_query(query)
    assert "sought as words" in noted(heading)


@pytest.mark.parametrize(
    "narrowing",
    [
        "AND humans[mh]",
        "AND (adult[mh] OR aged[mh])",
        "AND review[pt]",
        "AND (English[la] OR Spanish[la])",
        'AND ("2019/01/01"[dp] : "2021"[dp])',
        'AND "2019" : "2021"[dp]',
        "AND 2019:2021[pdat]",
        "AND free full text[sb]",
        "AND english[Filter]",
        "AND hasabstract",
        "AND therapy[sh]",
        "AND #4",
        "NOT animals[mh]",
        "NOT (animals[mh] NOT humans[mh])",
        "NOT (Animals[Mesh] not (Animals[Mesh] and Humans[Mesh]))",
        "NOT (letter[pt] OR editorial[pt])",
        # Without its second half it would exclude all of the first.
        "NOT (rats[tiab] AND humans[mh])",
        "NOT (rats[tiab] NOT humans[mh])",
    ],
)
def test_what_only_narrows_is_left_out_and_named(narrowing: str) -> None:
    search = f"snoring[tiab] {narrowing}"

    assert printed(search) == "snoring"
    assert "left out" in noted(search)


@pytest.mark.parametrize(
    ("search", "query"),
    [
        pytest.param("(trial[ti] OR review[pt]) AND snoring", "(title:trial OR review) snoring", id="type"),
        pytest.param("(aged[mh] OR elderly) AND snoring", "(aged OR elderly) snoring", id="age beside words"),
        pytest.param("(snoring OR 2019[dp])", "snoring", id="a date is no word"),
        pytest.param('snoring NOT "Sleep Apnea"[mh]', 'snoring -title:"Sleep Apnea"', id="excluded heading"),
        pytest.param("snoring NOT (rats OR mice[mh] OR letter[pt])", "snoring -(rats OR title:mice)", id="group"),
    ],
)  # fmt: skip
def test_what_widens_is_kept_and_what_excludes_is_no_looser(search: str, query: str) -> None:
    assert parse_query(printed(search)) == parse_query(query)


@pytest.mark.parametrize(
    ("search", "query", "note"),
    [
        pytest.param("((snoring AND (apnea)", "snoring apnea", "( (column 1), ( (column 2): is never", id="open"),
        pytest.param("snoring)) OR apnea", "snoring OR apnea", ") (column 8), ) (column 9): closes", id="closed"),
        pytest.param("snoring OR OR apnea", "snoring OR apnea", "OR (column 12): joins nothing", id="operator twice"),
        pytest.param("snoring[tiab OR apnea", "snoring OR apnea", "", id="open bracket"),
        pytest.param('"snoring[tiab] OR apnea', "snoring OR apnea", '" (column 1): is never closed', id="open quote"),
        pytest.param("snoring[ti] apnea[ti]", "title:snoring title:apnea", "apnea[ti] (column 13): no", id="none"),
        pytest.param("snoring[head]", "snoring", "snoring[head] (column 1): the field is not known", id="field"),
        pytest.param("snoring OR ?", "snoring", "? (column 12): left out, since it holds no letter", id="no letter"),
        pytest.param("OSA", "OSA", "OSA (column 1): taken for an acronym", id="acronym"),
        pytest.param("snoring\nAND [la] apnea", "snoring apnea", "[la] (line 2, column 5)", id="second line"),
        pytest.param("night AND day OR week", "(night day) OR week", "OR (column 18): AND, OR and NOT", id="mixed"),
        pytest.param('"a1 b1"[tiab:~90]', "a1 b1", "more than 50 words apart", id="far apart"),
        pytest.param("Lopez[au]", "author:Lopez", "Lopez[au] (column 1): found only where no given", id="family name"),
    ],
)  # fmt: skip
def test_oddities_are_read_in_the_likeliest_way(search: str, query: str, note: str) -> None:
    assert parse_query(printed(search)) == parse_query(query)
    assert note in noted(search)


def test_a_plain_search_needs_no_notes() -> None:
    assert import_pubmed('(snoring[tiab] OR "sleep apnea"[ti]) NOT rats[ti]').notes == ()


@pytest.mark.parametrize(
    ("search", "finds", "not_found"),
    [
        ("colo?r[tiab]", ["color", "Colour blindness"], ["colouur", "colors"]),
        ("behavio*r therap*[ti]", ["behaviour therapies", "Behavior-therapy"], ["behave therapy"]),
        ("wom#n", ["women", "woman"], ["womn"]),
    ],
)
def test_wildcards_inside_words(search: str, finds: Iterable[str], not_found: Iterable[str]) -> None:
    from digest.match.query import Pattern, compile_pattern

    pattern = import_pubmed(search).query.wants
    assert isinstance(pattern, Pattern)
    regex = compile_pattern(pattern.regex)

    assert all(regex.search(text) for text in finds)
    assert not any(regex.search(text) for text in not_found)
    assert "sought as a pattern" in noted(search)


def test_a_history_is_its_highest_line() -> None:
    newest_first = "#3 #1 AND (#2 OR bruxism)\n#2 apnea[tiab]\n#1 snoring[ti]"
    ovid = (
        "1. exp Snoring/\n2. (snor* or apnea).ti,ab.\n3. or/1-2\n4. child*\n  .ti.\n5. 3 and 4\n6. limit 5 to english"
    )

    assert printed(newest_first) == "title:snoring (apnea OR bruxism)"
    assert printed(ovid) == "(Snoring OR snor* OR apnea) title:child*"
    assert "limit 5 to english (line 7, column 4): the limit is left out" in noted(ovid)


def test_lines_that_begin_with_a_number_are_no_history_of_their_own() -> None:
    assert printed("snoring AND\n2 weeks[tiab] OR\n3 months[tiab]") == '(snoring "2 weeks") OR "3 months"'
    assert printed("snoring AND 2019:2021[dp]\n2019:2021[edat]") == "snoring"


def test_ovids_adjacent_words() -> None:
    assert printed("(sleep adj3 (lack or debt)).ti.") == "title:(sleep NEAR/2 lack) OR title:(sleep NEAR/2 debt)"
    assert printed("sleep adj debt") == "(sleep NEAR/0 debt)"


@pytest.mark.parametrize(
    ("search", "problem"),
    [
        ("", "column 1: no search term is here"),
        ("AND ( OR ) []", "column 1: no search term is here"),
        ("  humans[mh] AND 2020[dp]", "column 3: nothing in this search can be sought in a title or an abstract"),
        ("NOT snoring", "column 5: says only what it does not want"),
        ("a" * 100_001, "the search has 100,001 characters"),
        ("(" * 1000 + "a1", "column 501: more than 500 parentheses are open"),
        ("".join(f"a{n} AND (b{n} OR (" for n in range(30)), "groups stand in groups more than 40 deep"),
        (" OR ".join(f"a{n}*b" for n in range(101)), "more than 100 terms have a wildcard before their end"),
        ("\n".join(["1 snoring", *(f"{n} #{n - 1} OR #{n - 1}" for n in range(2, 50))]), "more than 20,000 terms"),
    ],
)  # fmt: skip
def test_nothing_to_use_is_an_error_with_its_place(search: str, problem: str) -> None:
    with pytest.raises(ValueError, match="hint: ") as caught:
        import_pubmed(search)

    assert problem in str(caught.value)


def test_the_caret_stands_under_the_place() -> None:
    with pytest.raises(ValueError, match="hint: ") as caught:
        import_pubmed("(humans[mh])")

    [_, line, caret, _] = str(caught.value).splitlines()
    assert line[caret.index("^") :].startswith("humans")


def test_parentheses_may_be_deep() -> None:
    assert printed("(" * DEEP + "snoring" + ")" * DEEP) == "snoring"
    assert len(import_pubmed("".join(f"a{n} AND (b{n} OR (" for n in range(18)) + "c").notes) > 0


_PIECES = (  # noqa: SIM905  # as a list, it would be one a line
    '( ) [ ] " “ ” AND or NOT [tiab] [mh] [pt] [au] [ti:~3] [dp] * $ ? #1 : / ^ - .ti,ab. adj3 cancer A, Li~J less:'
    " title:x \\ 1. 2 or/1-2 é NEAR/3 about: ~0.5 C++ *a a*b .NET & ' ٣ ﬁ"
).split()
_pieces = st.sampled_from([*_PIECES, " ", "\n", "\x00", "\u0345"])


@given(
    st.lists(_pieces, max_size=14).map("".join) | st.lists(_pieces, max_size=14).map(" ".join) | st.text(max_size=40)
)
@example("/[mh]")
def test_anything_is_an_error_with_a_hint_or_a_query_that_prints_and_reads_back(search: str) -> None:
    try:
        imported = import_pubmed(search)
    except ValueError as error:
        problem = str(error)
        hint = "hint: "
        assert hint in problem
        return

    assert _reads_back(imported)


def test_every_recorded_search_is_imported(real_data: Path) -> None:
    searches = real_data / "boolean-queries" / "sysrev-seed" / "overall_collection.jsonl"
    if not searches.is_file():
        pytest.skip(f"no recorded searches at {searches}")
    lines = searches.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)[name] for line in lines for name in ("query", "edited_search")]

    found = [import_pubmed(text) for text in texts]

    assert len(found) == 80
    assert all(_reads_back(each) for each in found)
    # Each of them names an index that we do not have.
    assert all(any("sought as words" in note for note in each.notes) for each in found)
    # None was read with a field that is not known.
    assert not [note for each in found for note in each.notes if "not known, so" in note]


def _reads_back(imported: Imported) -> bool:
    return parse_query(print_query(imported.query)) == normal(imported.query)
