"""The installed program starts, and starts quickly enough to be asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_help_is_there() -> None:
    program = Path(sys.executable).with_name("logwarden")
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "detect" in done.stdout


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys\nfrom logwarden.cli import main\nsys.argv = ['logwarden', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'sqlalchemy', 'streamlit', 'onnxruntime', 'torch'}\n"
        "print(*sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == ""
