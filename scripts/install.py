"""Install the package with one of its extras into the environment that runs this script: install.py [--packages] EXTRA

With --packages only what the extra needs is installed, without the package itself: a layer of an image. Versions come
from constraints.txt. uv does the work because it is several times faster than pip; pip's settings (index, certificates,
proxy) are passed on to it. Where uv cannot be had, or with LOGWARDEN_INSTALLER=pip, pip does it.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]

# pip's setting -> the variable by which uv takes the same.
SAME_IN_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "no-index": "UV_NO_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def main(extra: str, *, packages_only: bool = False) -> int:
    """Install ``.[extra]`` in editable form, or only what it needs; return the installer's exit code."""
    what = sorted(set(requirements(extra))) if packages_only else ["--editable", f".[{extra}]"]
    wanted = ["--constraint", "constraints.txt", *what]
    if os.environ.get("LOGWARDEN_INSTALLER") == "pip" or not _have_uv():
        return _run([*PIP, "install", *wanted], os.environ)
    # What is going to be run is compiled here and not at its first start. Of all that developing installs, little is.
    compiled = ["--compile-bytecode"] if extra == "serve" else []
    code = _run([str(UV), "pip", "install", *compiled, "--python", sys.executable, *wanted], uv_environment(os.environ))
    if code:
        print("uv could not install; to try with pip instead: LOGWARDEN_INSTALLER=pip make ...", file=sys.stderr)
    return code


def requirements(extra: str) -> Iterator[str]:
    """Yield what the package and one of its extras need, with the extras that this one names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    yield from project["dependencies"]
    for requirement in project["optional-dependencies"][extra]:
        if own := re.fullmatch(rf"{project['name']}\[(.+)\]", requirement):
            for name in own[1].split(","):
                yield from requirements(name)
        else:
            yield requirement


def _have_uv() -> bool:
    if UV.exists():
        return True
    code = _run([*PIP, "install", "--quiet", "--constraint", "constraints.txt", "uv"], os.environ)
    if code:
        print("uv is not to be had; pip does the work, which takes longer", file=sys.stderr)
    return code == 0


def uv_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for uv: pip's settings added, what is already set for uv left alone."""
    listed = subprocess.run(
        [*PIP, "config", "list"], env=dict(environment), capture_output=True, text=True, check=False
    ).stdout
    return {**translate(pip_settings(listed)), **environment, "UV_PYTHON_DOWNLOADS": "never"}


def pip_settings(listed: str) -> dict[str, str]:
    """Read the output of ``pip config list``: files before the environment, ``global`` before ``install``."""
    rank = {"global": 0, "install": 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in rank and rank[section] >= found.get(key, (0, ""))[0]:
            found[key] = (rank[section], str(ast.literal_eval(value)))
    return {key: value for key, (_, value) in found.items()}


def translate(settings: Mapping[str, str]) -> dict[str, str]:
    """Turn pip's settings into uv's variables; lists are separated by commas for links, by spaces for the rest."""
    variables = {SAME_IN_UV[key]: " ".join(value.split()) for key, value in settings.items() if key in SAME_IN_UV}
    if "UV_FIND_LINKS" in variables:
        variables["UV_FIND_LINKS"] = ",".join(filter(_reachable, variables["UV_FIND_LINKS"].split()))
    if variables.get("UV_INDEX"):
        # pip takes the best version of all indexes; uv by default stops at the first index that knows the name.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in variables.items() if value}


def _reachable(link: str) -> bool:
    """Pip only warns about a folder that is not there; uv would stop."""
    return "://" in link or Path(link).exists()


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    return subprocess.run(command, cwd=ROOT, env=dict(environment), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[-1], packages_only="--packages" in sys.argv))
