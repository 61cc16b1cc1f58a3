"""``digest`` in a process of its own that begins with everything imported, which is most of the work of a short one.

A server that has imported it waits beside the tests, and forks at each request. It has a single thread, so that what is
forked is whole; the command line itself is imported in the fork, as it looks at where its output goes.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_AHEAD = (
    "digest.app",
    "digest.pipeline",
    "digest.preview.studio",
    "digest.render.mjml",
    "digest.lint",
    "typer",
    "rich",
)
_TIMEOUT_S = 60


def run_forked(words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Run the command with these words to its end.

    Returns:
        Its exit code, negative for the signal that ended it; what it wrote to stdout, and to stderr.
    """
    server = _server()
    assert server.stdin
    assert server.stdout
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, name)) for name in ("out", "err")]
        job = {"words": words, "cwd": str(cwd), "env": dict(env), "files": files}
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        out, err = (Path(file).read_text("utf-8") for file in files)
    return code, out, err


@cache
def _server() -> "subprocess.Popen[str]":
    root = str(Path(__file__).parents[2])
    # Threads of the numeric library would be missing in the forks.
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, "-m", __name__], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(server.communicate)
    return server


def _await_job() -> dict[str, Any] | None:
    """Fork at each request; returns what to do in the fork, and nothing in the server at its end."""
    for line in sys.stdin:
        if not (child := os.fork()):
            return json.loads(line)  # type: ignore[no-any-return]
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return None


def _become(job: Mapping[str, Any]) -> None:
    signal.alarm(_TIMEOUT_S)
    for number, file in enumerate([os.devnull, *job["files"]]):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.argv = ["digest", *job["words"]]
    runpy.run_module("digest", run_name="__main__")


if __name__ == "__main__":
    for module in _AHEAD:
        import_module(module)
    # What is imported is not looked through for garbage, which would copy all of it in each fork.
    gc.freeze()
    if job := _await_job():
        _become(job)
