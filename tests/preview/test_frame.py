import re
from base64 import b64encode
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.preview.frame import Conditions, embed_pictures, open_links_outside, show_under

MAIL = """<!doctype html>
<html lang="en"><head><meta name="color-scheme" content="light dark">
<style type="text/css">:root { color-scheme: light dark; }
p { font-size: 16px; line-height: 1.5; margin: 10px }
@media (prefers-color-scheme: dark) { p { color: #eee !important; } }
@media (prefers-color-scheme:dark) and (max-width: 400px) { p { color: #ddd } }
</style><!--[if mso]><style>table { width: 600px }</style><![endif]--></head>
<body bgcolor="#fff" style="color:#111"><table width="600" role="presentation"><tr><td align="left">
<p style="font-size:16px;margin:10px">A &amp; B &lt;i&gt; <a href="https://example.org/?a=1&amp;b=2">x</a>&nbsp;</p>
<img src="cid:logo" alt="A &quot;logo&quot;" width="120" height="40"></td></tr></table></body></html>
"""


def test_a_mail_is_left_alone_under_no_conditions() -> None:
    assert show_under(MAIL, Conditions()) == MAIL


def test_a_scheme_decides_every_query_and_what_the_browser_itself_colours() -> None:
    dark = show_under(MAIL, Conditions(scheme="dark"))
    light = show_under(MAIL, Conditions(scheme="light"))

    assert "prefers-color-scheme" not in dark + light
    assert "@media (min-width:0) {" in dark
    assert "@media (min-width:0) and (max-width: 400px)" in dark
    assert "@media (max-width:0) {" in light
    for html, scheme in ((dark, "dark"), (light, "light")):
        assert f'content="{scheme}"' in html
        assert f"color-scheme: {scheme};" in html


def test_without_images_their_words_stay() -> None:
    shown = show_under(MAIL, Conditions(images=False))

    assert '<img alt="A &quot;logo&quot;" width="120" height="40">' in shown
    assert "src=" not in shown


def test_without_css_nothing_says_how_it_looks() -> None:
    shown = show_under(MAIL, Conditions(css=False))

    assert not re.search(r"<style|style=|bgcolor|align|width=\"600|class=", shown)
    assert '<table role="presentation">' in shown
    assert '<a href="https://example.org/?a=1&amp;b=2">x</a>&nbsp;' in shown
    assert "A &amp; B &lt;i&gt;" in shown
    assert '<img src="cid:logo" alt="A &quot;logo&quot;" width="120" height="40">' in shown


def test_larger_text_is_larger_everywhere_and_nothing_else_is() -> None:
    shown = show_under(MAIL, Conditions(zoom=200))

    assert "font-size: 32px; line-height: 1.5; margin: 10px" in shown
    assert 'style="font-size:32px;margin:10px"' in shown


@pytest.mark.parametrize("size", ["font: 17px/1.6 Georgia", "font:bold 17px/30px 'A'", "line-height:17.5px"])
def test_sizes_are_found_in_every_way_to_write_them(size: str) -> None:
    shown = show_under(f'<p style="{size}">', Conditions(zoom=200))

    expected = re.sub(r"[\d.]+px", lambda each: f"{2 * float(each[0][:-2]):g}px", size)
    assert shown == f'<p style="{expected}">'


@given(st.text(alphabet="<>&;\"'ab=/!- \n", max_size=60))
def test_text_is_the_same_without_css(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    shown = show_under(f'<p style="color:red">{escaped}</p>', Conditions(css=False))

    assert text_of(shown) == text


def text_of(html: str) -> str:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            found.append(data)

    reader = Reader()
    reader.feed(html)
    reader.close()
    return "".join(found)


def test_pictures_of_the_message_are_put_in_and_no_others() -> None:
    message = EmailMessage()
    message.set_content("<p>", subtype="html")
    message.add_related(b"\x89PNG", "image", "png", cid="<logo>")
    html = '<img src="cid:logo" alt="ours"><img src="cid:other" alt="theirs">'

    shown = embed_pictures(html, message.as_bytes())

    picture = b64encode(b"\x89PNG").decode()
    assert shown == f'<img src="data:image/png;base64,{picture}" alt="ours"><img src="" alt="theirs">'


def test_links_open_outside_of_the_frame() -> None:
    assert open_links_outside('<head lang="en"><title>').startswith('<head lang="en"><base target="_blank">')
