"""One process a data folder: an advisory lock that ends with the process, however it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from engine.runtime.errors import AlreadyRunning, Unusable


class FolderLock:
    """Hold `folder`/lock for this process; the file names its pid.

    Raises AlreadyRunning (with the holder's pid) if another process has it, Unusable if the folder cannot be
    created or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unusable(folder, error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = self._holder()
            os.close(self._fd)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise AlreadyRunning(folder, pid) from None
            raise unusable(self.path, error) from error
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._fd)
            raise unusable(self.path, error) from error

    def _holder(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int(os.pread(self._fd, 20, 0))
        return None

    def release(self) -> None:
        """Let the folder go; twice does nothing more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def unusable(path: Path, error: OSError) -> Unusable:
    """Say what cannot be used and what to do about it."""
    advice = {
        errno.EROFS: "the file system is read-only; give a --data folder that can be written",
        errno.EACCES: "no permission; give this user the folder, or another --data",
        errno.EPERM: "no permission; give this user the folder, or another --data",
        errno.ENOSPC: "no room left on the device; free some and start again",
        errno.ENOTDIR: "not a folder; give another --data",
        errno.EEXIST: "not a folder; give another --data",
    }.get(error.errno or 0, "see the cause")
    return Unusable(f"{path}: {advice} ({error.strerror})")
