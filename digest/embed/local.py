"""Models that turn texts into vectors on this machine: extras, of which nothing is loaded before it is used."""

import logging
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.errors import EmbedError
from digest.text.clean import clean_text, fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

Encode = Callable[[list[str]], Any]


class LocalModel:
    """A model that was loaded by one of the functions below."""

    def __init__(self, name: str, threshold: float, load: Callable[[], Encode]) -> None:
        self.name = name
        self.threshold = threshold
        self._load = load
        self._encode: Encode | None = None

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """See `digest.ports.Embedder`."""
        try:
            if self._encode is None:
                self._encode = self._load()
            found = self._encode(list(texts)) if texts else []
        except Exception as exc:  # whatever a model's library raises, mails go out
            _log.exception("a model failed", extra={"model": self.name})
            text = fit(clean_text(f"{type(exc).__name__}: {exc}"), 200)
            raise EmbedError(
                f"the model failed: {text}", where=self.name, hint="check its name; `digest check` loads it"
            ) from exc
        return unit_rows(found, len(texts), self.name)


def unit_rows(found: Any, count: int, name: str) -> "NDArray[np.float32]":
    """Vectors of length 1 from whatever numbers a model gave; a text without meaning has zeros.

    Raises:
        EmbedError: They are not ``count`` rows of finite numbers.
    """
    import numpy as np

    try:
        with np.errstate(over="ignore"):
            rows = np.asarray(found, dtype=np.float32).reshape(count, -1 if count else 0)
    except (TypeError, ValueError, OverflowError) as exc:
        raise EmbedError("the vectors are not of one length", where=name) from exc
    if not np.isfinite(rows).all():
        raise EmbedError("the vectors hold numbers that are not finite", where=name)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    # A subnormal length overflows the quotient.
    unit: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-12)
    return unit


def word_llama() -> LocalModel:
    """The model that is part of the package ``wordllama``: small, fast, without a network. Made for English."""
    _need("wordllama", "wordllama")

    def load() -> Encode:
        import wordllama

        # It looks for its own weights where it would download others to; without this it asks the network.
        model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
        # Its own `norm=True` divides by zero for an empty text.
        return lambda texts: model.embed(texts, norm=False)

    # Recorded titles find 86 % of their own abstracts with it, and 3.7 % of others in the field; by words 95 and 4.3 %.
    return LocalModel("wordllama", 0.45, load)


def model2vec(model: str) -> LocalModel:
    """A static model of ``model2vec``: a folder, or a name on the hub."""
    _need("model2vec", "model2vec")

    def load() -> Encode:
        from model2vec import StaticModel

        encode: Encode = StaticModel.from_pretrained(model).encode
        return encode

    return LocalModel(f"model2vec:{model}", 0.4, load)


def sentence_transformers(model: str) -> LocalModel:
    """A model of ``sentence-transformers``: a folder, or a name on the hub."""
    _need("sentence_transformers", "sentence-transformers")

    def load() -> Encode:
        from sentence_transformers import SentenceTransformer

        loaded = SentenceTransformer(model)
        return lambda texts: loaded.encode(texts, show_progress_bar=False)

    return LocalModel(f"sentence-transformers:{model}", 0.4, load)


def _need(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise EmbedError(
            f"the package '{extra}' is not installed",
            where=extra,
            hint=f"pip install 'paperround[{extra}]', or leave the setting out to compare words",
        )
