"""Chooses what turns texts into vectors by its name in the settings."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.embed.endpoint import Endpoint
from digest.embed.local import LocalModel, model2vec, sentence_transformers, word_llama
from digest.errors import EmbedError
from digest.ports import Embedder

_WITH_MODEL: Mapping[str, Callable[[str], LocalModel]] = {
    "model2vec": model2vec,
    "sentence-transformers": sentence_transformers,
}
_KNOWN = "known: wordllama, model2vec:NAME, sentence-transformers:NAME, openai:https://HOST/v1#MODEL"


def load_embedder(name: str, *, connect: Callable[[Limits], Client], key: str = "") -> Embedder:
    """Find the model of this name; its weights are loaded, or its server is asked, when it is first used.

    Args:
        name: ``wordllama``, ``model2vec:<folder or name>``, ``sentence-transformers:<folder or name>`` or
            ``openai:<address without /embeddings>#<model>``.
        connect: Makes a client with these limits.
        key: For a server that wants one.

    Raises:
        EmbedError: There is no such kind, or its package is not installed.
    """
    kind, _, rest = name.strip().partition(":")
    if kind == "wordllama" and not rest:
        return word_llama()
    if kind in _WITH_MODEL and rest:
        return _WITH_MODEL[kind](rest)
    url, _, model = rest.partition("#")
    if kind == "openai" and model and _is_server(url):
        return Endpoint(url, model, connect=connect, key=key)
    raise EmbedError(f"no model is called '{name}'", where="embedder", hint=_KNOWN)


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # A password in an address would be printed with it.
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and not parts.query
