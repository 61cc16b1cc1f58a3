"""A slow and obvious matcher, written from the definitions, and random queries and papers to hold others to it."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from digest.match.names import Name
from digest.match.query import (
    About,
    And,
    Author,
    Category,
    Listed,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Scope,
    Word,
    compile_pattern,
)
from digest.model import Paper, PaperKey, Signals
from digest.text.fold import Keyword, Words


def meets(node: Node, paper: Paper) -> bool:  # noqa: C901 - one line a kind of node
    """Whether a paper meets a node, which holds no `About`: only vectors can say what is near in meaning."""
    match node:
        case And(parts):
            return all(meets(part, paper) for part in parts)
        case Or(parts):
            return any(meets(part, paper) for part in parts)
        case Not(part):
            return not meets(part, paper)
        case Word(text, scope):
            return any(Words(field).find(Keyword.parse(text)) is not None for field in _fields(scope, paper))
        case Pattern(regex, scope):
            return any(compile_pattern(regex).search(field) is not None for field in _fields(scope, paper))
        case Near((one, other), distance, scope):
            return any(_are_near(one, other, distance, Words(field)) for field in _fields(scope, paper))
        case Author(name):
            return any(_is_same(name, author) for author in paper.authors)
        case Category(pattern):
            return any(_is_in(category.casefold(), pattern.casefold()) for category in paper.categories)
        case Listed(source):
            return any(_begins(name.casefold(), source.casefold()) for name in paper.sources)
        case About():
            raise AssertionError("the reference knows no meaning")


def _fields(scope: Scope, paper: Paper) -> tuple[str, ...]:
    match scope:
        case Scope.TEXT:
            return paper.title, paper.abstract
        case Scope.TITLE:
            return (paper.title,)
        case Scope.ABSTRACT:
            return (paper.abstract,)
        case Scope.VENUE:
            return (paper.venue,)


def _are_near(one: str, other: str, distance: int, words: Words) -> bool:
    """Whether a hit of each stands in the text, in either order, apart, with at most so many words between them."""
    return any(
        0 <= max(first_of_one, first_of_other) - min(last_of_one, last_of_other) - 1 <= distance
        for first_of_one, last_of_one in _hits(one, words)
        for first_of_other, last_of_other in _hits(other, words)
    )


def _hits(text: str, words: Words) -> list[tuple[int, int]]:
    """First and last word of every hit: whatever run of words is one from its beginning to its end."""
    keyword = Keyword.parse(text)
    count = len(words.spans)
    hits = []
    for first in range(count):
        for last in range(first, count):
            run = words.text[words.spans[first][0] : words.spans[last][1]]
            if Words(run).find(keyword) == (0, len(run)):
                hits.append((first, last))
    return hits


def _is_same(name: str, author: str) -> bool:
    try:
        return Name.parse(name).is_met_by(Name.parse(author))
    except ValueError:
        return False


def _is_in(category: str, pattern: str) -> bool:
    return category == pattern or (pattern.endswith("*") and category.startswith(pattern[:-1]))


def _begins(name: str, source: str) -> bool:
    """Whether a source's name is this one, or begins with it and then with another word: ``arxiv`` for ``arxiv:cs``."""
    rest = name.removeprefix(source)
    return name == source or (name.startswith(source) and not (source[-1].isalnum() and rest[0].isalnum()))


# Few words, so that hits are frequent, and each with something that folding has to see through.
_WORDS = (
    "graph", "graphs", "Graph", "GRAPH", "neural", "network", "networks", "pre-training", "pretraining", "pre",
    "training",
    "RL", "rl", "RLs", "SAM", "same", "Sam", "GPT-4", "GPT", "4", "LLM", "LLMs", "study", "studies", "lens", "lenses",
    "Poincaré", "Poincare", "Erdős", "naïve", "深度学习", "深", "学习", "C++", "C#", "C", ".NET", "net", "AT&T", "R&D",
    "the",
    "of", "a", "in", "k-means", "k", "means", "image/text", "l'apprentissage", "model's", "models", "ﬁne", "x²", "x2",
)  # fmt: skip
_JOINTS = (" ", " ", " ", "-", ", ", ". ", "/", " – ", "; ", " (", "’s ", "")
_PHRASES = (
    "graph neural network", "neural network", "pre-training", "pre training", "study of graphs", "深度学习", "GPT 4",
    "k means", "image text", "the same", "model", "C++", "AT&T",
)  # fmt: skip
_AUTHORS = ("Yann LeCun", "Y. LeCun", "LeCun, Yann", "Kaiming He", "He, K.", "Li Fei-Fei", "Erdős, P.", "LeCun", "…")
_CATEGORIES = ("cs.CL", "cs.LG", "cs.CV", "math-ph", "math.PR", "cancer biology")
_SOURCES = ("arxiv:cs.CL", "huggingface", "feed:Nature", "feed:Nature Physics", "feed:Naturewissen")
_VENUES = ("", "NeurIPS 2026", "Nature Physics", "ICLR")
_REGEXES = ("gpt-?[45]", "^graph", "n[eo]t", r"\bsam\b", "x*", "[a-c]{3}", "学", "s$")


def keywords() -> st.SearchStrategy[str]:
    """Words, phrases and prefixes that `papers` often hold."""
    word = st.sampled_from((*_WORDS, *_PHRASES))
    prefix = word.map(lambda text: text[: max(2, len(text) // 2)] + "*").filter(_is_keyword)
    return st.one_of(word, word, prefix, st.tuples(word, word).map(" ".join))


def _is_keyword(text: str) -> bool:
    try:
        Keyword.parse(text)
    except ValueError:
        return False
    return True


def nodes(*, leaves: int = 8) -> st.SearchStrategy[Node]:
    """Trees without `About`."""
    scopes = st.sampled_from((Scope.TEXT, Scope.TEXT, *Scope))
    boosts = st.sampled_from((1.0, 1.0, 0.5, 3.0))
    leaf: st.SearchStrategy[Node] = st.one_of(
        st.builds(Word, keywords(), scopes, boosts),
        st.builds(Word, keywords(), scopes, boosts),
        st.builds(Near, st.tuples(keywords(), keywords()), st.integers(0, 6), scopes, boosts),
        st.builds(Pattern, st.sampled_from(_REGEXES), scopes, boosts),
        st.builds(Author, st.sampled_from(_AUTHORS[:-1]), boosts),
        st.builds(Category, st.sampled_from((*_CATEGORIES, "cs.*", "CS.cl", "math.*", "*"))),
        st.builds(Listed, st.sampled_from((*_SOURCES, "arxiv", "feed", "FEED:nature", "arx"))),
    )
    return st.recursive(leaf, _combined, max_leaves=leaves)


def _combined(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(parts, min_size=1, max_size=4).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, parts))


def texts(*, words: int = 12) -> st.SearchStrategy[str]:
    """Rows of the same few words, joined by whatever stands between words."""
    pieces = st.lists(st.tuples(st.sampled_from(_WORDS), st.sampled_from(_JOINTS)), max_size=words)
    return pieces.map(lambda row: "".join(word + joint for word, joint in row))


def papers() -> st.SearchStrategy[Paper]:
    """Papers that `nodes` often meet."""

    def some(known: tuple[str, ...], most: int) -> st.SearchStrategy[tuple[str, ...]]:
        return st.lists(st.sampled_from(known), max_size=most, unique=True).map(tuple)

    return st.builds(
        Paper,
        key=st.just(PaperKey("arxiv:2611.00001")),
        title=texts(words=6),
        abstract=texts(),
        authors=some(_AUTHORS, 3),
        categories=some(_CATEGORIES, 2),
        links=st.just(()),
        published=st.just(datetime(2026, 11, 20, tzinfo=UTC)),
        first_seen=st.just(datetime(2026, 11, 20, tzinfo=UTC)),
        signals=st.just(Signals()),
        sources=some(_SOURCES, 2),
        ids=st.just(()),
        venue=st.sampled_from(_VENUES),
        summary=st.just(""),
        origins=st.just(()),
    )
