"""Photos of cases: looked at, stripped of what they tell beside the picture, kept beside the database.

What comes in is decoded and written anew in its own format, so that nothing of the file but its pixels stays: no EXIF,
no place, no text, nothing behind its end. A file's name is the SHA-256 of what is kept.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
import warnings
from pathlib import Path

import msgspec
from PIL import Image, ImageOps

from engine.casework.errors import Refused

LIMIT_BYTES = 8 << 20
PIXELS = 50_000_000
LONGEST = 4096
_FORMATS = ("JPEG", "PNG", "WEBP")
_TYPES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_QUALITY = 88
_one_at_a_time = threading.Lock()  # a decoded photo takes up to 200 MB


class Photo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a photo that is kept."""

    sha256: str
    type: str
    size: int
    width: int
    height: int


def cleaned(body: bytes) -> tuple[Photo, bytes]:
    """Return a photo as it is kept. Raises Refused 413 (too large) or 422 (no JPEG, PNG or WebP, too many pixels)."""
    if len(body) > LIMIT_BYTES:
        raise Refused("photo_too_large", 413, f"照片不得超过 {LIMIT_BYTES >> 20} MiB")
    try:
        with _one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture, kind = _decoded(body)
            kept = _encoded(picture, kind)
    except Image.DecompressionBombError as error:
        raise Refused("too_many_pixels", 422, f"照片至多 {PIXELS // 1_000_000} 百万像素") from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise Refused("not_a_photo", 422, "不是完好的 JPEG、PNG 或 WebP 照片") from error
    width, height = picture.size
    digest = hashlib.sha256(kept).hexdigest()
    return Photo(sha256=digest, type=_TYPES[kind], size=len(kept), width=width, height=height), kept


def _decoded(body: bytes) -> tuple[Image.Image, str]:
    """Return the picture, upright and at most 4096 pixels long, and its format; its size is judged before decoding."""
    with Image.open(io.BytesIO(body), formats=_FORMATS) as image:
        width, height = image.size
        if not 0 < width * height <= PIXELS:
            raise Image.DecompressionBombError
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        if kind == "JPEG":
            image.draft("RGB", (LONGEST, LONGEST))
        image.load()
        upright = ImageOps.exif_transpose(image)
        with_alpha = kind != "JPEG" and ("A" in upright.getbands() or "transparency" in upright.info)
        plain = upright.convert("RGBA" if with_alpha else "RGB")
    plain.thumbnail((LONGEST, LONGEST))
    return plain, kind


def _encoded(picture: Image.Image, kind: str) -> bytes:
    bare = Image.frombytes(picture.mode, picture.size, picture.tobytes())  # pixels, and nothing that hung on them
    out = io.BytesIO()
    if kind == "PNG":
        bare.save(out, kind, optimize=False)
    else:
        bare.save(out, kind, quality=_QUALITY)
    return out.getvalue()


class PhotoFolder:
    """The files, named by what is in them; made when the first one is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, sha256: str, body: bytes) -> None:
        """Write a file, durable on return; one that is there already stays."""
        place = self._place(sha256)
        if place.exists():
            return
        place.parent.mkdir(0o700, parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=place.parent, prefix=".new-")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, sha256: str) -> bytes | None:
        """Return a file's bytes; null when it is not there or not what it was."""
        try:
            body = self._place(sha256).read_bytes()
        except FileNotFoundError:
            return None
        return body if hashlib.sha256(body).hexdigest() == sha256 else None

    def _place(self, sha256: str) -> Path:
        return self.path / sha256[:2] / sha256
