"""How problems in a configuration are told: all at once, with the value, and never with an address or a secret."""

import difflib
import re
from collections.abc import Iterable, Sequence

from pydantic_core import ErrorDetails

from digest.errors import ConfigError
from digest.text.masking import mask_addresses


class ConfigProblems(ConfigError):  # noqa: N818 - it holds errors, it is not one of them
    """Every problem of a configuration at once."""

    def __init__(self, problems: Sequence[ConfigError]) -> None:
        super().__init__("; ".join(problem.problem for problem in problems))
        self.problems = tuple(problems)
        # What pickle calls this class with again.
        self.args = (self.problems,)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ComplaintError(ValueError):
    """What a validator has to say about a value; where it is written is added later."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint


def shown(value: object, limit: int = 60) -> str:
    """A value from the file as it may be quoted in a message: on one line, shortened, and without addresses."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"'{str(value).lower()}'"
        case dict():
            return "keys and values"
        case list():
            return "a list"
    text = mask_addresses("".join(sign if sign.isprintable() else " " for sign in str(value)))
    return f"'{text[: limit - 1]}…'" if len(text) > limit else f"'{text}'"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1)
    return by_fold[near[0]] if near else None


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint that names the nearest known word, if any, and all of them."""
    near = nearest(word, known)
    listed = f"known: {', '.join(known)}"
    return f"did you mean '{near}'? {listed}" if near else listed


_TOLD = {
    "list_type": ("must be a list", "write [one, two], or each on its own line after '- '"),
    "tuple_type": ("must be a list", "write [one, two], or each on its own line after '- '"),
    "model_type": ("must hold keys and values", "write each as key: value"),
    "int_type": ("must be a whole number", "write it in digits, without quotes"),
    "int_parsing": ("must be a whole number", "write it in digits"),
    "int_from_float": ("must be a whole number", "write it in digits"),
    "bool_type": ("must be true or false", "write true or false, without quotes"),
    "greater_than_equal": ("must be {ge} or more", ""),
    "less_than_equal": ("must be {le} or less", ""),
    "too_short": ("must not be empty", "name at least one"),
    "path_type": ("must be a path", ""),
}


def told(error: ErrorDetails, what: str) -> ComplaintError:
    """What pydantic found, in our words."""
    got, context = shown(error["input"]), error.get("ctx", {})
    match error["type"]:
        case "value_error" if isinstance(context["error"], ComplaintError):
            return context["error"]
        case "string_type":
            is_plain = isinstance(error["input"], (bool, int, float))
            return ComplaintError(
                f"{what} must be text, got {got}", f'put it in quotes: "{got[1:-1]}"' if is_plain else ""
            )
        case "literal_error" | "enum":
            known = re.findall(r"'([^']*)'", str(context["expected"]))
            return ComplaintError(f"{what} cannot be {got}", did_you_mean(str(error["input"]), known))
        case kind if kind in _TOLD:
            problem, hint = _TOLD[kind]
            return ComplaintError(f"{what} {problem.format_map(context)}, got {got}", hint)
        case _:
            return ComplaintError(f"{what} is wrong: {error['msg'].lower()}")
