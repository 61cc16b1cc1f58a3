import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(
    scope="module",
    params=["with this environment's libraries", pytest.param("with what it declares", marks=pytest.mark.soak)],
)
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``digest`` command of a wheel, built from this tree and installed elsewhere."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = str(folder / "venv/bin/python")
    options = ["--quiet", "--disable-pip-version-check"]
    if request.param != "with what it declares":
        [site] = (folder / "venv/lib").glob("python*/site-packages")
        # Not as packages of its own: this checkout is installed there as well, and would come first.
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        options.append("--no-deps")
    subprocess.run([python, "-m", "pip", "install", *options, wheel], check=True)
    return folder / "venv/bin/digest"


def test_an_installed_wheel_renders_and_delivers_far_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MY_EMAIL": "ada@example.org"}

    def digest(*words: str) -> str:
        done = subprocess.run([installed, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    digest("init")
    digest("check")
    digest("preview", "Me")
    digest("demo")

    assert "<html" in (tmp_path / "var/preview/me.html").read_text()
    assert len(list((tmp_path / "var/demo/inbox").glob("*.eml"))) >= 3
