"""Keeps addresses out of what is stored and shown: people's are not for logs, and servers like to repeat them."""

import re

# Either the sign-in of a web address, or a word, matched whole so that a long line takes linear time.
_WORD = re.compile(r"""(?P<signin>//[^/?#\s@]*@)|[^\s<>()\[\],;:"']+""")


def mask(address: str) -> str:
    """What may be shown of an address, also of a mistyped one: ``ana@example.org`` becomes ``a***@***``."""
    return f"{address[:1].strip('@')}***" + ("@***" if "@" in address else "")


def mask_addresses(text: str) -> str:
    """Mask every address in a text, and the sign-in of web addresses: ``<ana@example.org>`` becomes ``<a***@***>``.

    Where the two are apart, as in ``ana@[192.0.2.1]`` and ``"ana b"@example.org``, the half with the ``@`` is masked;
    a sign alone, as the ``@@`` of a diff, is no address.
    """

    def hide(word: re.Match[str]) -> str:
        if word["signin"]:
            return "//***@"
        return mask(word[0]) if "@" in word[0] and any(map(str.isalnum, word[0])) else word[0]

    return _WORD.sub(hide, text)
