"""A cable between a browser and a server that can be pulled and plugged in again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class _Cable:
    def __init__(self, port: int) -> None:
        self._port = port
        self._whole = threading.Event()
        self._whole.set()
        self._ends: set[socket.socket] = set()
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._ear.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._ear.accept()
                if not self._whole.is_set():
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._port))
                self._ends |= {near, far}
                for here, there in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(here, there), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while part := here.recv(65536):
                there.sendall(part)
        for end in (here, there):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End what is open and take nothing new."""
        self._whole.clear()
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it for good."""
        self.cut()
        self._ear.close()

    def mend(self) -> None:
        """Let the browser in again."""
        self._whole.set()


@contextmanager
def relayed(port: int) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """Yield an address that leads to a port, what cuts it off, and what mends it."""
    cable = _Cable(port)
    try:
        yield cable.url, cable.cut, cable.mend
    finally:
        cable.close()
