"""Photograph HTML files: one PNG for each file, width and colour scheme.

    python docs/screenshots.py mail.html --out /tmp/shots --width 640 --width 360

Needs Chromium; see digest/preview/browser.py. Nothing is fetched from the network: each file is opened from disk,
offline.
"""

import argparse
from pathlib import Path

from digest.errors import DigestError
from digest.preview.browser import find_chromium, open_browser, photograph


def main() -> None:
    """Read the arguments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--width", type=int, action="append", help="in CSS pixels; may be given more than once")
    parser.add_argument("--height", type=int, help="in CSS pixels; the whole page if not given")
    parser.add_argument("--scheme", choices=("light", "dark"), action="append")
    parser.add_argument("--scale", type=float, default=1.0, help="picture pixels for one CSS pixel")
    parser.add_argument("--browser", help="the program, if it is not called as usual")
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    try:
        with open_browser(find_chromium(args.browser)) as browser:
            for file in args.files:
                for width in args.width or (640, 360):
                    for scheme in args.scheme or ("light", "dark"):
                        target = args.out / f"{file.stem}-{width}-{scheme}.png"
                        overflow = photograph(
                            browser, file, target, width=width, scheme=scheme, height=args.height, scale=args.scale
                        )
                        print(f"{target}  {width} {scheme}" + (f"  OVERFLOWS by {overflow} px" if overflow else ""))
    except DigestError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
