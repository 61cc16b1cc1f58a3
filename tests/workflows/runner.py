"""Runs a job of a workflow, and the composite action in it, as GitHub's runner does, as far as ours need it.

Steps are run with bash in the order of the file, with the environment they declare; expressions are evaluated, what a
step writes for later ones is read, and commands in the log are obeyed. Actions of others have stand-ins.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.workflows.site import ROOT, Site

Contexts = Mapping[str, Any]
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_WORDS = re.compile(r"'(?:[^']|'')*'|&&|\|\||!(?!=)|[A-Za-z_][\w.-]*\(?")


@cache
def read(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(file)
    return loaded


def evaluate(expression: str, contexts: Contexts) -> Any:
    """The value of an expression: paths, ``== != && || !``, texts, and the functions of ``contexts``."""
    signs = {"&&": " and ", "||": " or ", "!": " not "}

    def word(match: re.Match[str]) -> str:
        text = match[0]
        if text.startswith("'"):
            return repr(text[1:-1].replace("''", "'"))
        if text in signs:
            return signs[text]
        return f"find({text[:-1]!r})(" if text.endswith("(") else f"find({text!r})"

    def find(path: str) -> Any:
        value: Any = contexts
        for key in path.split("."):
            value = value.get(key, "") if isinstance(value, Mapping) else ""
        return value

    return eval(_WORDS.sub(word, expression), {"__builtins__": {}, "find": find})


def fill(text: object, contexts: Contexts) -> str:
    """A value of the file with its expressions filled in."""
    if isinstance(text, bool):
        return str(text).lower()
    return _EXPRESSION.sub(lambda match: _as_text(evaluate(match[1].strip(), contexts)), str(text))


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def applies(condition: str, contexts: Contexts) -> bool:
    """Whether a step runs: only after success, unless its condition asks how the job is."""
    condition = condition.removeprefix("${{").removesuffix("}}").strip() or "success()"
    if not re.search(r"\b(?:success|always|cancelled|failure)\(\)", condition):
        condition = f"success() && ({condition})"
    return bool(evaluate(condition, contexts))


@dataclass
class Job:
    """One job of one run on a machine of its own."""

    site: Site
    workflow: Path
    name: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    event: str = "schedule"
    cancel_after: str = ""
    """The name of the step with whose end the job is cancelled."""
    codes: dict[str, int] = field(default_factory=dict)
    """The exit code of each step that ran."""
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Others' actions, with what they were given."""
    log: str = ""
    """As it is shown: masked, and without commands."""
    annotations: list[str] = field(default_factory=list)
    summary: str = ""
    """What its page says."""

    def __post_init__(self) -> None:
        self.is_cancelled = False
        self._masks: list[str] = []
        self._exported: dict[str, str] = {}
        for name in ("GITHUB_ENV", "GITHUB_STEP_SUMMARY"):
            Path(self.site.env[name]).unlink(missing_ok=True)

    def run(self) -> "Job":
        job = read(self.workflow)["jobs"][self.name]
        github = {
            "token": "ghs_token_canary",
            "action_path": str(ROOT),
            "event_name": self.event,
            "repository": "me/digest",
        }
        contexts = {
            "github": github,
            "runner": {"temp": str(self.site.folder)},
            "secrets": self.secrets,
            "vars": self.variables,
            "inputs": self.inputs,
        }
        if applies(str(job.get("if", "")), {**contexts, **self._status([])}):
            self._steps(job["steps"], contexts, {})
        summary = Path(self.site.env["GITHUB_STEP_SUMMARY"])
        self.summary = summary.read_text() if summary.exists() else ""
        return self

    def _status(self, failures: list[str]) -> dict[str, Callable[[], bool]]:
        return {
            "always": lambda: True,
            "cancelled": lambda: self.is_cancelled,
            "failure": lambda: bool(failures) and not self.is_cancelled,
            "success": lambda: not failures and not self.is_cancelled,
        }

    def _steps(self, steps: list[dict[str, Any]], contexts: Contexts, env: Mapping[str, str]) -> tuple[bool, Contexts]:
        """Run the steps of a job or of an action; tells whether all went well, and what they put out."""
        failures: list[str] = []
        results: dict[str, Any] = {}
        is_action = "inputs" in contexts and contexts.get("in_action")
        for step in steps:
            now = {**contexts, "steps": results, **self._status(failures)}
            # Once the job is cancelled, an action under way is not gone on with, whatever its steps say: actions/runner
            # pull request 2638, open when read on 2026-11-22.
            if (is_action and self.is_cancelled and not contexts["began_cancelled"]) or not applies(
                str(step.get("if", "")), now
            ):
                results[step.get("id", "")] = {"outcome": "skipped", "outputs": {}}
                continue
            given = {**env, **{name: fill(value, now) for name, value in step.get("env", {}).items()}}
            name = step.get("name", step.get("uses", ""))
            if "run" in step:
                is_well, outputs = self._shell(name, step["run"], given)
            elif step["uses"] == "./":
                is_well, outputs = self._action(step, now, given)
            else:
                is_well, outputs = True, {}
                self.used.append((step["uses"].partition("@")[0], {k: fill(v, now) for k, v in step["with"].items()}))
            results[step.get("id", "")] = {"outcome": "success" if is_well else "failure", "outputs": outputs}
            if not is_well:
                failures.append(name)
            self.is_cancelled = self.is_cancelled or name == self.cancel_after
        return not failures, {"steps": results}

    def _action(self, step: dict[str, Any], contexts: Contexts, env: Mapping[str, str]) -> tuple[bool, dict[str, Any]]:
        action = read(ROOT / "action.yml")
        defaults = {name: str(each.get("default", "")) for name, each in action["inputs"].items()}
        inputs = defaults | {name: fill(value, contexts) for name, value in step.get("with", {}).items()}
        inner = {
            "github": contexts["github"],
            "runner": contexts["runner"],
            "inputs": inputs,
            "in_action": True,
            "began_cancelled": self.is_cancelled,
        }
        is_well, after = self._steps(action["runs"]["steps"], inner, env)
        return is_well, {name: fill(each["value"], after) for name, each in action["outputs"].items()}

    def _shell(self, name: str, script: str, env: Mapping[str, str]) -> tuple[bool, dict[str, Any]]:
        output = self.site.folder / "github_output"
        output.write_text("")
        base = {key: value for key, value in self.site.env.items() if key != "DIGEST_ADDRESSES"}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.site.clone,
            env=base | {"GITHUB_OUTPUT": str(output)} | self._exported | dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.codes[name] = done.returncode
        self._obey(done.stdout)
        self._exported |= self._handed_on()
        return done.returncode == 0, dict(line.split("=", 1) for line in output.read_text().splitlines())

    def _handed_on(self) -> dict[str, str]:
        file = Path(self.site.env["GITHUB_ENV"])
        text = file.read_text() if file.exists() else ""
        blocks = re.findall(r"^(\w+)<<(\w+)\n(.*?)\n\2\n", text, flags=re.DOTALL | re.MULTILINE)
        return {name: value for name, _, value in blocks}

    def _obey(self, said: str) -> None:
        """Read what a step wrote: commands, unless they are stopped, and lines, which are masked."""
        stopped = ""
        for line in said.splitlines():
            command = re.fullmatch(r"::([\w-]+)(?: [^:]*)?::(.*)", line)
            if stopped:
                stopped = "" if line == f"::{stopped}::" else stopped
            elif command and command[1] == "stop-commands":
                stopped = command[2]
                continue
            elif command and command[1] == "add-mask":
                self._masks.append(command[2].replace("%25", "%"))
                continue
            elif command:
                self.annotations.append(self._masked(line))
            self.log += self._masked(line) + "\n"

    def _masked(self, line: str) -> str:
        for mask in sorted([*self._masks, *filter(None, self.secrets.values())], key=len, reverse=True):
            line = line.replace(mask, "***")
        return line
