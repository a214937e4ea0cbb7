"""The dashboard's own process: ``python -m logwarden.dashboard STREAMLIT-OPTIONS``, started by ``launch``."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path


def _end_with_parent() -> None:
    """End this process when the other end of standard input is closed: its owner is gone, even if it was killed."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


def main() -> None:
    """Serve the pages until the owner goes away."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from streamlit import net_util
    from streamlit.web import cli

    # When a page of another origin knocks, Streamlit would ask a server on the internet for this machine's address.
    net_util.get_external_ip = lambda: None

    cli.main(["run", str(Path(__file__).with_name("app.py")), *sys.argv[1:]], prog_name="streamlit")


if __name__ == "__main__":
    main()
