"""A real PostgreSQL for tests: one server on loopback, in a folder of its own, run by a user without rights."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

from tests.services.ports import free_port

START_SECONDS = 60.0
USER, PASSWORD = "logs", "a?b/c@d e'%41"
_UNPRIVILEGED = ("postgres", "nobody")


def obstacle() -> str | None:
    """What keeps a server from running here, in words, or None."""
    if _programs() is None:
        return "not found: initdb (Debian: postgresql)"
    if os.geteuid() == 0 and _other_user() is None:
        return "a server does not run as root, and there is no user postgres or nobody"
    return None


class Server:
    """A server that can be stopped, killed and started again on the same port and data."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="logwarden-postgres-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0 and (user := _other_user()) is not None:
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb", "--pgdata=data", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={USER}", "--no-sync",
            "--auth=scram-sha-256", "--pwfile=password",
        )  # fmt: skip

    def start(self) -> None:
        """Start, and return when it takes connections."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "64MB",
            "max_connections": 60,
        }
        arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program("postgres"), "-D", "data", *arguments],
                cwd=self._folder, stdout=log, stderr=log, **self._as,
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.1)

    @property
    def pid(self) -> int:
        """The running server; its other processes are its children."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """The end of what the server has said."""
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def kill(self) -> None:
        """End it at once; its processes end when they notice."""
        self._end("KILL")

    def stop(self) -> None:
        """Let it break all connections and shut down, as a restart does."""
        self._end("INT")

    def close(self) -> None:
        """Stop for good, and remove the data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """Create an empty database; return its URL."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str) -> str:
        """Return the URL of a database, with user and password."""
        from urllib.parse import quote

        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement outside of a transaction; return its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        import psycopg

        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, signal: str) -> None:
        if self._process is None:
            return
        if signal == "KILL":
            self._process.kill()
        else:
            self._process.send_signal(2)
        self._process.wait(60)
        self._process = None

    def _program(self, name: str) -> str:
        folder = _programs()
        assert folder is not None
        return str(folder / name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._program(program), *arguments]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False, **self._as)
        assert done.returncode == 0, done.stdout + done.stderr


def _programs() -> Path | None:
    """Return the folder of the newest server's programs. Debian does not put them on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _other_user() -> pwd.struct_passwd | None:
    known = {user.pw_name: user for user in pwd.getpwall()}
    return next((known[name] for name in _UNPRIVILEGED if name in known), None)
