"""A real mosquitto with the shipped settings, on a free port of this machine."""

from __future__ import annotations

import getpass
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parts.ports import free_port

SHIPPED = Path(__file__).parents[2] / "deploy/mosquitto/mosquitto.conf"
PATIENCE_S = 20.0


@dataclass
class Mosquitto:
    """A broker with a folder of its own; a restart keeps sessions and what is queued."""

    folder: Path
    port: int
    more: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        listener = f"listener {self.port} 127.0.0.1\n" + (self.more or "allow_anonymous true\n")
        # started by root it would become another user, who cannot write here
        place = f"user {getpass.getuser()}\npersistence_location {self.folder}/\nlog_dest file {self.folder}/log\n"
        config = self.folder / "mosquitto.conf"
        config.write_text(f"{SHIPPED.read_text()}{place}{listener}")
        self.process = subprocess.Popen([str(program()), "-c", str(config)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return
        raise AssertionError("mosquitto does not listen")

    def stop(self) -> None:
        """End it as its supervisor would; it writes its sessions down."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE_S)


def program() -> str | None:
    """Return where mosquitto is; not every user has it on his path."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """Run a broker for one test."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    broker = Mosquitto(folder, free_port())
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
