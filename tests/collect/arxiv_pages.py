"""Invented papers on arXiv's other pages: the listing, OAI-PMH and query API, laid out as arXiv's own templates do."""

from collections.abc import Sequence
from html import escape

_COUNTED = {"new": "New", "cross": "Cross", "replace": "Replacement"}


def listing_item(
    number: int = 1,
    *,
    kind: str = "new",
    title: str = "An Invented Paper",
    subjects: str = "Computation and Language (cs.CL); Machine Learning (cs.LG)",
    abstract: str = "We invent.",
    comments: str = "",
    authors: Sequence[str] = ("Ada Example", "Ben Sample"),
) -> tuple[str, str]:
    """Its section, and ``dt`` with ``dd``."""
    primary, semicolon, others = subjects.partition(";")
    arxiv_id = f"2611.{number:05d}"
    note = {"cross": "(cross-list from cs.CL)", "replace": "(replaced)"}.get(kind, "")
    linked = ", ".join(
        f'<a href="https://arxiv.org/search/cs?searchtype=author&amp;query={name.split()[-1]}" rel="nofollow">'
        f"{escape(name)}</a>"
        for name in authors
    )
    commented = f"""
        <div class='list-comments mathjax'><span class='descriptor'>Comments:</span>
          {comments}
        </div>
"""
    return (
        kind,
        f"""
    <dt>
      <a name='item{number}'>[{number}]</a>
      <a href ="/abs/{arxiv_id}" title="Abstract" id="{arxiv_id}">
        arXiv:{arxiv_id}
      </a>
      {note}
      [<a href="/pdf/{arxiv_id}" title="Download PDF" id="pdf-{arxiv_id}" aria-labelledby="pdf-{arxiv_id}">pdf</a>, \
<a href="https://arxiv.org/html/{arxiv_id}v1" title="View HTML" id="html-{arxiv_id}" rel="noopener">html</a>, \
<a href="/format/{arxiv_id}" title="Other formats" id="oth-{arxiv_id}">other</a>]
    </dt>
    <dd>
      <div class='meta'>
        <div class='list-title mathjax'><span class='descriptor'>Title:</span>
          {escape(title)}
        </div>
        <div class='list-authors'>{linked}</div>
{commented if comments else ""}
        <div class='list-subjects'><span class='descriptor'>Subjects:</span>
          <span class="primary-subject">{primary}</span>{semicolon}{others}
        </div>

        <p class='mathjax'>
          {abstract}
        </p>
      </div>
    </dd>
""",
    )


def listing_page(
    *items: tuple[str, str],
    day: str = "Friday, 20 November 2026",
    total: int | None = None,
    stated: int | None = None,
) -> bytes:
    """A page with a section for each kind.

    Args:
        items: Listed in this order.
        day: As the page writes it.
        total: Of all pages; as many as there are items.
        stated: How many the first section claims to show.
    """
    total = len(items) if total is None else total
    counted = f"<div class='paging'>Total of {total} entries </div>" if total else ""
    sections = []
    for kind, heading in _COUNTED.items():
        here = [markup for section, markup in items if section == kind]
        count = len(here) if stated is None else stated
        if here:
            sections.append(
                f"<dl id='articles'>\n    <h3>{heading} submissions (showing {count} of {count} entries)</h3>\n"
                + "".join(here)
                + "</dl>"
            )
            stated = None
    nothing = "" if sections else "<p>No updates today.</p>"
    return f"""<!DOCTYPE html>
<html lang="en">
<head><title>Computation and Language</title>
<link rel="stylesheet" href="/static/arxiv.css" /></head>
<body>
<header class="site-header"><a href="#content" class="is-sr-only">Skip to main content</a></header>
<main class="container" id="main-container"><div id="content">
<div id='content-inner'>
<div id='dlpage'>
  <h1>Computation and Language</h1>
<ul>
  <li><a href="#item0" rel="nofollow">New submissions</a></li>
</ul>
<p>See <a id="recent-cs.CL" aria-labelledby="recent-cs.CL" href="/list/cs.CL/recent">recent</a> articles</p>
<h3>Showing new listings for {day}</h3>
{counted}
<div class='morefewer'>Showing up to 2000 entries per page: <a href=/list/cs.CL/new?skip=0&amp;show=1000>fewer</a></div>
{"".join(sections)}{nothing}
</div>
</div>
</div></main>
<footer><ul><li><a href="https://info.arxiv.org/about">About</a></li></ul></footer>
</body>
</html>
""".encode()


def oai_record(
    number: int = 1,
    *,
    versions: Sequence[str] = ("Thu, 19 Nov 2026 09:00:00 GMT",),
    categories: str = "cs.CL cs.LG",
    changed: str = "2026-11-20",
    arxiv_id: str = "",
    extra: str = "",
    title: str = "An Invented Paper",
    authors: str = "Ada Example (Invented University), Ben Sample and Cid Case",
    abstract: str = "  We\n invent.",
) -> str:
    """A record in the format ``arXivRaw``."""
    arxiv_id = arxiv_id or f"2611.{number:05d}"
    listed = "".join(
        f'<version version="v{place}"><date>{date}</date><size>10kb</size><source_type>D</source_type></version>'
        for place, date in enumerate(versions, 1)
    )
    return f"""        <record>
            <header>
        <identifier>oai:arXiv.org:{arxiv_id}</identifier>
        <datestamp>{changed}</datestamp>
            <setSpec>cs:cs:CL</setSpec>
    </header>
            <metadata>
    <arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://arxiv.org/OAI/arXivRaw/ https://oaipmh.arxiv.org/OAI/arXivRaw.xsd">
        <id>{arxiv_id}</id>
        <submitter>Ada Example</submitter>
        {listed}
        <title>{escape(title)}</title>
        <authors>{escape(authors)}</authors>
        <categories>{categories}</categories>
        {extra}
        <license>http://creativecommons.org/licenses/by/4.0/</license>
        <abstract>{escape(abstract)}</abstract>
    </arXivRaw>
            </metadata>
        </record>
"""


def oai(*records: str, token: str = "", error: tuple[str, str] | None = None) -> bytes:
    """A whole answer."""
    inner = f"<ListRecords>\n{''.join(records)}"
    if token:
        inner += f"<resumptionToken expires='2026-11-21T00:00:00Z'>{escape(token)}</resumptionToken>"
    inner += "</ListRecords>"
    if error:
        inner = f"<error code='{error[0]}'>{error[1]}</error>"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" 
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">
    <responseDate>2026-11-20T05:00:00Z</responseDate>
    <request verb="ListRecords" metadataPrefix="arXivRaw">https://oaipmh.arxiv.org/oai</request>
    {inner}
</OAI-PMH>""".encode()  # noqa: W291  as arXiv writes it


def api_entry(number: int = 1, *, primary: str = "cs.CL", submitted: str = "2026-11-19T09:00:00Z") -> str:
    """One paper of the query API."""
    return f"""  <entry>
    <id>http://arxiv.org/abs/2611.{number:05d}v1</id>
    <title>An Invented Paper</title>
    <updated>{submitted}</updated>
    <link href="https://arxiv.org/abs/2611.{number:05d}v1" rel="alternate" type="text/html"/>
    <summary>We invent.</summary>
    <category term="cs.LG" scheme="http://arxiv.org/schemas/atom"/>
    <category term="{primary}" scheme="http://arxiv.org/schemas/atom"/>
    <published>{submitted}</published>
    <arxiv:comment>9 pages</arxiv:comment>
    <arxiv:primary_category term="{primary}"/>
    <arxiv:doi>10.1000/Invented</arxiv:doi>
    <author><name>Ada Example</name></author>
    <author><name>Ben Sample</name></author>
  </entry>
"""


def api(*entries: str, total: int | None = None, start: int = 0) -> bytes:
    """A whole answer."""
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" \
xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/invented</id>
  <title>arXiv Query: search_query=cat:cs.CL&amp;id_list=&amp;start={start}&amp;max_results=1000</title>
  <updated>2026-11-20T05:00:00Z</updated>
  <opensearch:itemsPerPage>1000</opensearch:itemsPerPage>
  <opensearch:totalResults>{len(entries) if total is None else total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
{"".join(entries)}</feed>
""".encode()
