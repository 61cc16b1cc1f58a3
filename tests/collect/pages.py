"""Invented papers on pages in the exact formats of arXiv and Hugging Face."""

import json
from typing import Any
from xml.sax.saxutils import escape

_HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" \
xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0">
  <channel>
    <title>{title}</title>
    <link>http://rss.arxiv.org/rss/cs.CL</link>
    <description>cs.CL updates on the arXiv.org e-print archive.</description>
    <lastBuildDate>Fri, 20 Nov 2026 05:00:14 +0000</lastBuildDate>
    <pubDate>Fri, 20 Nov 2026 00:00:00 -0500</pubDate>
    <skipDays>
      <day>Sunday</day>
      <day>Saturday</day>
    </skipDays>
"""


def rss_item(
    number: int = 1,
    *,
    title: str = "An Invented Paper",
    abstract: str = "We invent.",
    authors: str = "Ada Example, Ben Sample",
    kind: str = "new",
    arxiv_id: str = "",
) -> str:
    arxiv_id = arxiv_id or f"2611.{number:05d}"
    return f"""    <item>
      <title>{escape(title)}</title>
      <link>https://arxiv.org/abs/{arxiv_id}</link>
      <description>arXiv:{arxiv_id}v1 Announce Type: {kind}\x20
Abstract: {escape(abstract)}</description>
      <guid isPermaLink="false">oai:arXiv.org:{arxiv_id}v1</guid>
      <category>cs.CL</category>
      <category>cs.LG</category>
      <pubDate>Fri, 20 Nov 2026 00:00:00 -0500</pubDate>
      <arxiv:announce_type>{kind}</arxiv:announce_type>
      <dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights>
      <dc:creator>{escape(authors)}</dc:creator>
    </item>
"""


def rss(*items: str, title: str = "cs.CL updates on arXiv.org") -> bytes:
    return (_HEAD.format(title=escape(title)) + "".join(items) + "  </channel>\n</rss>").encode()


def feed(*items: str) -> bytes:
    channel = f"<channel><title>A blog</title>{''.join(items)}</channel>"
    return f'<?xml version="1.0"?><rss version="2.0">{channel}</rss>'.encode()


def hf_item(number: int = 1, **paper: Any) -> dict[str, Any]:
    whole = {
        "id": f"2611.{number:05d}",
        "title": "An Invented\n Paper",
        "summary": "We invent.\nTwice.",
        "authors": [
            {"_id": "1", "name": "Ada Example", "hidden": False},
            {"_id": "2", "name": "Hid Den", "hidden": True},
        ],
        "publishedAt": "2026-11-19T18:00:00.000Z",
        "upvotes": 12,
        "githubRepo": "https://github.com/ada/invented",
        "githubStars": 3,
        "projectPage": "https://invented.example/",
    }
    return {
        "paper": whole | paper,
        "title": "An Invented Paper",
        "numComments": 2,
        "publishedAt": "2026-11-20T01:00:00.000Z",
    }


def hf(*items: object) -> bytes:
    return json.dumps(items).encode()
