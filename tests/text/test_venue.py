"""A venue is taken only from what says that the paper got there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.text.clean import clean_text
from digest.text.venue import find_venue


@pytest.mark.parametrize(
    ("comment", "venue"),
    [
        ("Accepted at NeurIPS 2026 (spotlight)", "NeurIPS 2026 (spotlight)"),
        ("12 pages, 5 figures, accepted to CoRL 2025", "CoRL 2025"),
        ("Accepted to ACL 2025 Main. 10 pages", "ACL 2025 Main"),
        ("Accepted for publication in the Journal of Examples, 33 pages", "Journal of Examples"),
        ("accepted by TPAMI", "TPAMI"),
        ("Accepted (with minor revisions) at TMLR", "TMLR"),
        ("Accepted as an oral presentation at ISMIR 2025, Nowhere, May 1-3", "ISMIR 2025"),
        ("The paper is accepted by IEEE TNNLS and code is available", "IEEE TNNLS"),
        ("Accepted to CVPR 2025 as Highlight", "CVPR 2025"),
        ("Published as a conference paper at ICLR 2025", "ICLR 2025"),
        ("To appear in Transactions on Examples", "Transactions on Examples"),
        ("final version; to appear in Graphs and Inventions", "Graphs and Inventions"),
        ("To be published in: 2025 IEEE Conference on Looms, Cards and Engines (ICLCE)", None),
        ("Presented at the 2nd International Workshop on Looms (LOOM 2022), Nowhere", None),
        ("Accepted at the International Conference on Looms (LOOM) 2025, Nowhere, April 24", None),
        ("Phys. Rev. E (in press)", "Phys. Rev. E"),
        ("18 pages. To appear in IEEE Trans. Inf. Theory. Typos corrected", "IEEE Trans. Inf. Theory"),
        ("In Proceedings of the 31st Symposium on Looms, July 11 to 17, 2021", "31st Symposium on Looms"),
        ("CVPR 2025 camera ready", "CVPR 2025"),
        ("WACV 2026 Accepted", "WACV 2026"),
        ("8 pages, IROS2025", "IROS2025"),
        ("ICLR 2025 (Oral), project page: https://ada.github.io/x", "ICLR 2025 (Oral)"),
        ("NeurIPS'24; code at https://github.com/ada/x", "NeurIPS'24"),
        ("AAAI-26", "AAAI-26"),
        ("Findings of EMNLP 2025", "Findings of EMNLP 2025"),
        ("12 pages, ICML 2025 Workshop on Looms", "ICML 2025 Workshop on Looms"),
        ("Workshop on Looms at NeurIPS 2025", "Workshop on Looms at NeurIPS 2025"),
        ("Rejected from ICML 2025. Accepted at NeurIPS 2025.", "NeurIPS 2025"),
        (r"Accepted at \textbf{ICML 2025}\ (12 pages)", "ICML 2025 (12 pages)"),
    ],
)
def test_what_was_accepted(comment: str, venue: str | None) -> None:
    expected = {
        "To be": "2025 IEEE Conference on Looms, Cards and Engines (ICLCE)",
        "Prese": "2nd International Workshop on Looms (LOOM 2022)",
        "Accep": "International Conference on Looms (LOOM) 2025",
    }
    assert find_venue(comment) == (venue or expected[comment[:5]])


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "12 pages, 5 figures",
        "Accepted",
        "Accepted for publication",
        "accepted at journal",
        "Accepted to internal review.",
        "Submitted to ICML 2026",
        "ICLR 2026 submission",
        "Under review at ICLR 2026",
        "under double-blind review, NeurIPS 2026",
        "In preparation for CVPR 2026",
        "Rejected from NeurIPS 2025",
        "This paper was not accepted at ICML 2025",
        "To be published in Nature if accepted",
        "Extended version of our CVPR 2023 paper",
        "A preliminary version appeared in FOCS 2000",
        "A shorter version will appear in ICALP 2004",
        "1st place at the CVPR 2025 challenge",
        "using the NeurIPS 2025 template",
        "PhD thesis, published at Example University",
        "Invited talk at ICML 2025",
        "presented by Ada Example",
        "Presented at Example Institute, June 2002",
        "Published by Example Press",
        "published in June 2004",
        "withdrawn, was to appear at ICML 2025",
        "arXiv admin note: text overlap with a paper accepted at ICML 2025",
        "MSC 2020: 68T07",
        "NeurIPS",
    ],
)
def test_what_is_no_venue(comment: str) -> None:
    assert find_venue(comment) == ""


PIECES = [
    "accepted", " at ", " to appear in ", "in press", "ICML 2025", "(", ")", ",", ", ", ". ", ";", "Journal of ", "J. ",
    "2025", "pages", " by ", "Workshop", "\n", "\u2028", "\\", "$", "{", "x", "X" * 90,
]  # fmt: skip


@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_a_venue_is_one_short_line(comment: str) -> None:
    venue = find_venue(comment)

    assert len(venue) <= 120
    assert venue == clean_text(venue)


@given(
    st.sampled_from(["NeurIPS", "ICML", "TMLR", "Journal of Looms", "IEEE Transactions on Looms"]),
    st.integers(1990, 2040),
    st.sampled_from(["", " (oral)", " Workshop on Looms"]),
)
def test_saying_it_again_changes_nothing(name: str, year: int, addition: str) -> None:
    venue = find_venue(f"9 pages, to appear at {name} {year}{addition}, 3 figures")

    assert venue == f"{name} {year}{addition}"
    assert find_venue(f"Accepted at {venue}") == venue


@pytest.mark.parametrize("piece", PIECES)
def test_many_of_anything_come_to_an_end(piece: str) -> None:
    find_venue(piece * (100_000 // len(piece)))
