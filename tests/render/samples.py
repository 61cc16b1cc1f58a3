"""One invented edition that has everything: what the golden file and the screenshots show."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from digest.model import (
    DayCount,
    Edition,
    Evidence,
    Field,
    FollowUp,
    FollowUpKind,
    Gap,
    Growth,
    Label,
    LabelKind,
    Link,
    LinkKind,
    Match,
    NearMiss,
    Paper,
    PaperKey,
    Rise,
    Schedule,
    Score,
    Signals,
    Topic,
    TopicMatch,
    Verdict,
    Week,
    Wording,
)
from tests.builders import a_paper, a_subscriber, an_edition

VISION = "Vision-language pre-training"
SPEECH = "Speech and low-resource languages"


WORDINGS = {
    PaperKey("arxiv:2611.00002"): Wording(
        title="Elsternbrücke: ein Benchmark für Bild-Sprach-Vortraining in kleinen Sprachen",
        summary=(
            "Ein erfundener Benchmark mit zweiundvierzig kleinen Sprachen zeigt, dass heutige Modelle in "
            "einunddreißig von ihnen nicht besser als der Zufall sind."
        ),
        by="invented-7b",
    ),
    PaperKey("arxiv:2611.00003"): Wording(
        title="Exakte Softmax-Aufmerksamkeit in O(n log n) für x ∈ ℝⁿ", summary="", by="invented-7b"
    ),
}
"""What a language model wrote for the reader of the full edition."""


def a_full_edition() -> Edition:
    subscriber = replace(
        a_subscriber("Ada Example"),
        zone=ZoneInfo("Europe/Berlin"),
        # None that the mail itself speaks: its own words are English, what was translated is German all the same.
        language="gsw",
        schedule=Schedule("weekdays at 07:30", "30 7 * * 1-5"),
        topics=(Topic(name=VISION, any=("CLIP", "benchmark*")), Topic(name=SPEECH, authors=("Kwame Invented",))),
    )
    return an_edition(
        subscriber,
        matched=_matched(),
        trending=_trending(),
        rising=_rising(),
        rest=tuple(
            a_paper(20 + number, title=title)
            for number, title in enumerate(
                (
                    "Captions That Never Were: A Survey of Imagined Image Descriptions",
                    "Pixels, Patches and Patience",
                    "對比學習的虛構綜述：從圖像到文字",
                    "A Modest Benchmark for Modest Models",
                )
            )
        ),
        updated=(
            a_paper(30, title="Prompts Before Pictures: A Second Look"),
            a_paper(31, title="On the Patience of Reviewers"),
        ),
        near_misses=(
            NearMiss(
                paper=a_paper(50, title="Asking Twice Is Asking Once: Retrieval for the Impatient"),
                topic=VISION,
                missing="benchmark*",
            ),
            NearMiss(
                paper=a_paper(51, title="Forty-Two Words for Snow in Forty-Two Languages"),
                topic=SPEECH,
                missing='"low resource"',
            ),
        ),
        follow_ups=(
            FollowUp(
                paper=a_paper(60, title="Maps for Machines That Are Lost", venue="ICLR 2027"),
                kinds=(FollowUpKind.CODE, FollowUpKind.ACCEPTED),
            ),
            FollowUp(paper=a_paper(61, title="A Proof That Was Not One"), kinds=(FollowUpKind.WITHDRAWN,)),
        ),
        growth={
            PaperKey("arxiv:2611.00001"): Growth(
                signal="upvotes", counts=(12, 30, 74, 128), since=datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
            )
        },
        week=Week(
            days=tuple(
                DayCount(date(2026, 11, 14 + number), announced, matched)
                for number, (announced, matched) in enumerate(
                    ((0, 0), (0, 0), (612, 9), (548, 4), (590, 14), (731, 6), (402, 4))
                )
            ),
            discussed=(a_paper(70, title="Everybody Has Read This One"), a_paper(71, title="And Most Have Read This")),
            sent=(a_paper(72, title="You Had This on Thursday"),),
        ),
        gaps=(
            Gap("arxiv:cs.CL", Verdict.STALE, date(2026, 11, 19)),
            Gap("biorxiv:neuroscience", Verdict.FAILED, None),
        ),
    )


def _matched() -> tuple[Match, ...]:
    first = a_paper(
        1,
        title="Lanterns in the Fog: CLIP Features Survive Heavy Corruption When Prompts Are Asked Twice",
        abstract=(
            "Contrastive image-text encoders such as CLIP are said to break under corruption. We show that most of the "
            "loss comes from the prompt, not from the picture: asking the same question twice, in two wordings, and "
            "averaging the answers recovers 7.4 of 9.1 points on a new benchmark of fog, smoke and rain (cf. Sample et "
            "al. 2025, Fig. 3). The method needs no training, adds 0.6 ms per image and works for eleven encoders "
            "from 38 M to 2.1 B parameters. We also find that it does not help for text in images, and say why. "
            "Code, data and all 412,000 predictions are public. We hope that future work will measure the prompt "
            "before it blames the encoder."
        ),
        authors=(
            "Ada Example",
            "Ben Sample",
            "Chidi Placeholder",
            "Dana Fictional",
            *(f"Coauthor {number}" for number in range(1, 9)),
            "Kwame Invented",
            "Zoë Imagined",
        ),
        categories=("cs.CV", "cs.CL", "cs.LG"),
        signals=Signals(upvotes=128, comments=14, stars=2310, points=87, citations=3),
        venue="NeurIPS 2026",
        summary="Asking an encoder the same question twice, in two wordings, undoes most of the harm of fog.",
        origins=(("title", "arxiv:cs.CL"), ("summary", "huggingface:daily")),
        links=(
            Link(LinkKind.ABSTRACT, "https://arxiv.org/abs/2611.00001"),
            Link(LinkKind.PDF, "https://arxiv.org/pdf/2611.00001"),
            Link(LinkKind.CODE, "https://github.com/example/lanterns"),
            Link(LinkKind.PROJECT, "https://lanterns.example.org/"),
            Link(LinkKind.DISCUSSION, "https://huggingface.co/papers/2611.00001"),
            Link(LinkKind.DISCUSSION, "https://news.ycombinator.com/item?id=1"),
            Link(LinkKind.DATASET, "https://huggingface.co/datasets/example/lanterns"),
            Link(LinkKind.MODEL, "https://huggingface.co/example/lanterns"),
        ),
    )
    second = a_paper(
        2,
        title="鹊桥：面向低资源语言的视觉-语言预训练基准",
        abstract=(
            "我们提出鹊桥，一个覆盖四十二种低资源语言的虚构基准。每种语言包含一万张由母语者描述的图片。"
            "实验表明，现有模型在其中三十一种语言上的表现不比随机猜测好。"
        ),
        authors=("李虚构", "王示例"),
        categories=("cs.CL",),
        published=datetime(2026, 11, 19, 5, 0, tzinfo=UTC),
        signals=Signals(upvotes=41, comments=1),
    )
    third = a_paper(
        3,
        title="O(n log n) Attention with Exact Softmax for x ∈ ℝⁿ",
        abstract=(
            "We prove that softmax attention over n keys can be evaluated exactly in O(n log n) time when keys lie on "
            "a curve with bounded curvature κ ≤ 1, and that no algorithm does better than Ω(n). The constant is small: "
            "for n = 2²⁰ it beats a tuned kernel by 3.2×."
        ),
        authors=("Noether Placeholder",),
        categories=("cs.DS", "math.CO"),
        links=(Link(LinkKind.ABSTRACT, "https://arxiv.org/abs/2611.00003"),),
    )
    fourth = a_paper(
        4,
        title="Benchmarks as Weather Reports",
        abstract="",
        authors=("Ines Example", "Kwame Invented", "Tomás Sample"),
        categories=("cs.CY",),
        signals=Signals(upvotes=0),
    )
    return (
        Match(
            paper=first,
            score=Score(match=4, follow=5, trend=0.83, recency=0.62, less=-1),
            labels=(Label(LabelKind.FIRST_BY, "Kwame Invented"), Label(LabelKind.NTH_ON, VISION, 3)),
            topics=(
                TopicMatch(
                    VISION,
                    (
                        Evidence(Field.TITLE, "CLIP", "CLIP"),
                        Evidence(Field.ABSTRACT, "CLIP", "CLIP"),
                        Evidence(Field.ABSTRACT, "benchmark*", "benchmark"),
                    ),
                ),
                TopicMatch(SPEECH, (Evidence(Field.AUTHOR, "Kwame Invented", "Kwame Invented"),)),
            ),
        ),
        Match(
            paper=second,
            score=Score(match=3, relevance=2.5, trend=1.44, recency=0.5),
            labels=(Label(LabelKind.CARRIED, "2026-11-19"),),
            topics=(
                TopicMatch(
                    VISION, (Evidence(Field.TITLE, "基准", "基准"), Evidence(Field.SOURCE, "arxiv", "arxiv:cs.CL"))
                ),
            ),
        ),
        Match(
            paper=third,
            score=Score(match=1, relevance=4.66, recency=0.62),
            topics=(
                TopicMatch(
                    VISION,
                    (
                        Evidence(Field.ABSTRACT, "attention", "attention"),
                        Evidence(Field.MEANING, "attention in less than quadratic time", "0.83"),
                    ),
                ),
            ),
        ),
        Match(
            paper=fourth,
            score=Score(match=3, follow=5, recency=0.62, less=-3),
            labels=(Label(LabelKind.CARRIED, "2026-11-09"),),
            topics=(
                TopicMatch(VISION, (Evidence(Field.TITLE, "benchmark*", "Benchmarks"),)),
                TopicMatch(SPEECH, (Evidence(Field.AUTHOR, "Kwame Invented", "Kwame Invented"),)),
            ),
        ),
    )


def _trending() -> tuple[Paper, ...]:
    day = timedelta(days=1)
    first = a_paper(10)
    return (
        replace(
            first,
            title="Small Models, Long Memories: Forgetting Is a Scheduling Problem",
            abstract=(
                "Models of one to three billion parameters are believed to forget because they are small. We schedule "
                "rehearsal like a spaced-repetition course and forgetting falls by 81 percent at equal compute."
            ),
            authors=("Priya Fictional", "Jonas Sample", "Mei Placeholder", "Ola Example"),
            categories=("cs.LG",),
            signals=Signals(upvotes=342, comments=27, stars=5120, points=1),
            published=first.published - day,
        ),
        replace(
            a_paper(11),
            title="The Robot That Asked for Directions",
            abstract=(
                "A household robot that may ask one question an hour finishes 2.4 times as many chores. We describe "
                "when it asks, whom, and how it takes no for an answer."
            ),
            categories=("cs.RO", "cs.HC"),
            signals=Signals(upvotes=207, comments=9),
        ),
    )


def _rising() -> tuple[Rise, ...]:
    paper = a_paper(
        40,
        title="Reviewer Two, Simulated: Disagreement Without a Cause",
        abstract=(
            "We simulate a panel of reviewers who have read nothing. Their scores agree with those of a real panel as "
            "often as the real panel agrees with itself."
        ),
        authors=("Olga Placeholder", "Sam Fictional"),
        categories=("cs.DL",),
        published=datetime(2026, 11, 12, 1, 0, tzinfo=UTC),
        signals=Signals(upvotes=87, comments=21),
    )
    # In Berlin it is Monday already.
    since = datetime(2026, 11, 15, 23, 30, tzinfo=UTC)
    return (Rise(paper=paper, signal="upvotes", before=12, now=87, since=since),)
