"""The built-in sources: each names addresses and parses bytes, none does I/O."""

from digest.collect.sources.arxiv import Arxiv
from digest.collect.sources.feed import Feed
from digest.collect.sources.huggingface import HuggingFace

__all__ = ["Arxiv", "Feed", "HuggingFace"]
