"""Reads the topics of one subscriber: a broken topic stands alone."""

from dataclasses import dataclass
from pathlib import Path

from digest.config.faults import Faults
from digest.config.models import TopicEntry
from digest.config.problems import ComplaintError, shown
from digest.config.yaml_lines import Place
from digest.match.parse import QueryError, read_topic
from digest.model import Example, Topic
from digest.text.identity import arxiv_key, doi_key
from digest.text.masking import mask_addresses


@dataclass(frozen=True, slots=True)
class Topics:
    """What a list of topics says."""

    topics: tuple[Topic, ...]
    """Those that can be used."""
    files: tuple[Path, ...]
    """The lists of works that they name, whether they could be read or not."""
    notes: tuple[str, ...]
    """Entries of these lists that say too little, with the topic."""


def read_topics(raw: object, place: Place, faults: Faults, folder: Path) -> Topics:
    """Read a list of topics.

    Args:
        raw: As the YAML has it.
        place: Where it stands.
        faults: Takes what is wrong.
        folder: Where the paths in it start.
    """
    if not isinstance(raw, list):
        faults.add(place, f"'topics' must be a list, got {shown(raw)}", "start each topic with '- name: …'")
        return Topics((), (), ())
    topics: dict[str, Topic] = {}
    files: list[Path] = []
    notes: list[str] = []
    for number, raw_topic in enumerate(raw):
        here = (*place, number)
        entry = faults.check(TopicEntry, raw_topic, here)
        if entry is None:
            continue
        if entry.name.casefold() in topics:
            faults.add(here, f"the topic {shown(entry.name)} is there twice", "rename one, or make them one topic")
            continue
        like = _read_examples(entry, here, faults, folder, files, notes)
        # What else is wrong is told even if a list of works cannot be read.
        topic = Topic(**{**entry.model_dump(), "like": (Example(),) if like is None else like})
        if _is_usable(topic, here, faults) and like is not None:
            topics[topic.name.casefold()] = topic
    return Topics(tuple(topics.values()), tuple(files), tuple(notes))


def _is_usable(topic: Topic, place: Place, faults: Faults) -> bool:
    try:
        read_topic(topic)
    except QueryError as exc:
        told = "\n".join(filter(None, (exc.problem, exc.place)))
        problem = f"the query of the topic {shown(topic.name)}: {mask_addresses(told)}"
        faults.add((*place, "query"), problem, mask_addresses(exc.hint))
    except ValueError as exc:
        problem = f"the topic {shown(topic.name)} cannot be used: {mask_addresses(str(exc))}"
        faults.add(place, problem, "change or delete the keyword")
    else:
        return True
    return False


def _read_examples(
    entry: TopicEntry, place: Place, faults: Faults, folder: Path, files: list[Path], notes: list[str]
) -> tuple[Example, ...] | None:
    """The works that the topic names, or ``None`` if one of its files cannot be read."""
    if not entry.like:
        return ()
    # Only who names a library waits for what reads it.
    from digest.config.library import read_library

    examples: list[Example] = []
    is_whole = True
    for text in entry.like:
        if key := arxiv_key(text) or doi_key(text):
            examples.append(Example(keys=(key,)))
            continue
        path = folder / text
        files.append(path)
        try:
            library = read_library(path)
        except ComplaintError as exc:
            faults.add((*place, "like"), exc.problem, exc.hint)
            is_whole = False
            continue
        examples += library.examples
        notes += (f"topic {shown(entry.name)}: {line}" for line in library.complaints)
    return tuple(examples) if is_whole else None
