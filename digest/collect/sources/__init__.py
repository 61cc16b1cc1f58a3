"""The built-in sources: each names requests and parses bytes, none does I/O."""

from digest.collect.sources.arxiv import Arxiv
from digest.collect.sources.biorxiv import Biorxiv
from digest.collect.sources.crossref import Crossref
from digest.collect.sources.feed import Feed
from digest.collect.sources.github import GitHub
from digest.collect.sources.hacker_news import HackerNews
from digest.collect.sources.huggingface import HuggingFace
from digest.collect.sources.openalex import OpenAlex
from digest.collect.sources.openreview import OpenReview
from digest.collect.sources.pubmed import Pubmed
from digest.collect.sources.semantic_scholar import SemanticScholar

__all__ = [
    "Arxiv",
    "Biorxiv",
    "Crossref",
    "Feed",
    "GitHub",
    "HackerNews",
    "HuggingFace",
    "OpenAlex",
    "OpenReview",
    "Pubmed",
    "SemanticScholar",
]
