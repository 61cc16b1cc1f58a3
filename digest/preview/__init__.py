"""The mail in a browser, while it is being designed: a page that reloads itself, and pictures of all variants."""

from typing import Final

PORT: Final = 8025
"""Where the page is served unless another is asked for."""
