"""Make ``digest/lint/clients.json`` anew: which mail clients know what, of what ``digest lint`` can see in a mail.

    npm pack caniemail && tar xzf caniemail-*.tgz
    python docs/caniemail.py package > digest/lint/clients.json

The data are those of https://www.caniemail.com, by Rémi Parmentier and contributors, as the npm package ``caniemail``
carries them, under the MIT licence.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FAMILIES = ("apple-mail", "gmail", "outlook", "yahoo", "samsung-email", "thunderbird", "protonmail", "fastmail", "gmx")
SPECIAL = {
    "css-at-import": ["at:import"],
    "css-at-media": ["at:media"],
    "css-at-font-face": ["at:font-face"],
    "css-at-keyframes": ["at:keyframes"],
    "css-at-supports": ["at:supports"],
    "css-at-media-device-pixel-ratio": ["media:-webkit-device-pixel-ratio"],
    "css-at-media-hover": ["media:hover", "media:any-hover"],
    "css-at-media-orientation": ["media:orientation"],
    "css-at-media-prefers-color-scheme": ["media:prefers-color-scheme"],
    "css-at-media-prefers-reduced-motion": ["media:prefers-reduced-motion"],
    "css-block-inline-size": ["property:block-size"],
    "css-border-inline-block": ["property:border-inline", "property:border-block"],
    "css-border-radius-logical": [
        f"property:border-{one}-{two}-radius" for one in ("start", "end") for two in ("start", "end")
    ],
    "css-column-layout-properties": ["property:columns", "property:column-width", "property:column-rule"],
    "css-display-flex": ["value:display=flex", "value:display=inline-flex"],
    "css-display-grid": ["value:display=grid", "value:display=inline-grid"],
    "css-display-none": ["value:display=none"],
    "css-flex-direction": ["property:flex-direction"],
    "css-flex-wrap": ["property:flex-wrap"],
    "css-font": ["property:font"],
    "css-gap": ["property:gap", "property:column-gap", "property:row-gap"],
    "css-grid-template": [f"property:grid-template{end}" for end in ("", "-areas", "-columns", "-rows")],
    "css-important": ["keyword:important"],
    "css-intrinsic-size": ["value:fit-content", "value:min-content", "value:max-content"],
    "css-modern-color": [f"function:{name}" for name in ("lch", "oklch", "lab", "oklab")],
    "css-nesting": ["rule:nesting"],
    "css-pseudo-class-lang": ["pseudo:lang"],
    "css-sytem-ui": [
        f"value:{name}" for name in ("system-ui", "ui-serif", "ui-sans-serif", "ui-rounded", "ui-monospace")
    ],
    "css-unit-calc": ["function:calc"],
    "css-unit-initial": ["value:initial"],
    "css-unit-percent": ["unit:%"],
    "css-variables": ["function:var"],
    "html-h1-h6": [f"element:h{level}" for level in range(1, 7)],
    "html-image-maps": ["element:map"],
    "html-lists": ["element:ul", "element:ol", "element:dl"],
    "html-meta-color-scheme": ["meta:color-scheme"],
    "html-semantics": [
        f"element:{name}"
        for name in (
            *("article", "aside", "details", "figcaption", "figure", "footer", "header", "main", "mark", "nav"),
            *("section", "summary", "time"),
        )
    ],
    "html-svg": ["element:svg"],
    "html-anchor-links": ["scheme:#"],
    "html-mailto-links": ["scheme:mailto"],
    "html-button-reset": ["element:button"],
    "html-button-submit": ["element:button"],
    "html-loading-attribute": ["attribute:loading"],
    "html-srcset": ["attribute:srcset", "attribute:sizes"],
    "html-popover": ["attribute:popover"],
    "html-required": ["attribute:required"],
    "html-address": ["element:address"],
    "html-base": ["element:base"],
    "image-base64": ["scheme:data"],
}
"""Where the title does not say it by itself."""
LEFT_OUT = re.compile(r"css-comments|html-(comments|doctype|body)|css-selector-(class|grouping|type)|html-input-.*")
BY_SLUG = {
    r"css-(selector)-([\w-]+)": "{0}:{1}",
    r"css-(unit)-(\w+)": "{0}:{1}",
    r"css-(pseudo)-(?:class|element)-([\w-]+)": "{0}:{1}",
}
BY_TITLE = {
    r"([a-z][a-z-]+)\(\)": "function:{0}",
    r"([a-z][a-z-]+)(?: shorthand| property| CSS property)?": "property:{0}",
    r"<(\w+)>(?: element)?": "element:{0}",
    r"([\w-]+) attribute": "attribute:{0}",
}


def keys(feature: dict[str, Any]) -> list[str]:
    """What `digest.lint.clients` calls it; nothing, where it cannot be seen in a mail or is in every one."""
    slug = feature["slug"]
    if slug in SPECIAL:
        return SPECIAL[slug]
    if LEFT_OUT.fullmatch(slug):
        return []
    return list(named(slug, BY_SLUG)) or [
        key for title in re.split(r"\s*[,&]\s*", feature["title"].strip()) for key in named(title, BY_TITLE)
    ]


def named(text: str, patterns: dict[str, str]) -> Iterator[str]:
    """The key by the first pattern that fits."""
    for pattern, key in patterns.items():
        if match := re.fullmatch(pattern, text):
            yield key.format(*match.groups())
            return


def newest(support: dict[str, str]) -> str:
    """``y``, ``n``, ``a`` for partly, ``u`` for unknown: what the last version does."""
    return list(support.values())[-1][0] if support else "u"


def main() -> None:
    """Write the table to standard output."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("package", type=Path, help="the unpacked npm package")
    package: Path = options.parse_args().package
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    data = json.loads((package / "data/caniemail.json").read_text(encoding="utf-8"))
    clients = sorted(
        {
            f"{family}.{platform}"
            for feature in data["data"]
            for family in FAMILIES
            for platform in feature["stats"].get(family, {})
        }
    )
    features = {}
    for feature in data["data"]:
        stats = feature["stats"]
        support = "".join(newest(stats.get(f, {}).get(p, {})) for f, p in (client.split(".") for client in clients))
        features |= {key: [feature["slug"], support] for key in keys(feature)}
    table = {
        "about": f"What mail clients know: y yes, a partly, n no, u unknown; one letter a client. Made by"
        f" docs/caniemail.py from caniemail {about['version']} on npm, {about['license']} licence; data of"
        f" caniemail.com of {data['last_update_date'][:10]}, by Rémi Parmentier and contributors.",
        "clients": clients,
        "features": features,
    }
    text = json.dumps(table, ensure_ascii=False, indent=1)
    # A feature a line.
    sys.stdout.write(re.sub(r"\[\n\s+(\"[^\"]*\"),\n\s+(\"[^\"]*\")\n\s+\]", r"[\1, \2]", text) + "\n")


if __name__ == "__main__":
    main()
