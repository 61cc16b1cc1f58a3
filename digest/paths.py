"""Where the files that ship with the package are: inside it in a wheel, beside it in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """The path of a shipped file or folder, such as ``templates`` or ``subscribers.example.yaml``.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    inside = _PACKAGE / name
    if inside.exists():
        return inside
    beside = _PACKAGE.parent / name
    if beside.exists() and (_PACKAGE.parent / "pyproject.toml").exists():
        return beside
    raise FileNotFoundError(f"{name} is missing from the installation at {_PACKAGE}")
