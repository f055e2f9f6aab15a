"""Photos: what is taken, what is stripped, what is refused, and that the files are what the database says."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from engine.casework.errors import Refused
from engine.casework.photos import LIMIT_BYTES, LONGEST, PhotoFolder, cleaned

from .conftest import Town, actor

SECRET = b"SECRET-PLACE"


def picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **more: object) -> bytes:
    """Return a picture, red on its left half."""
    image = Image.new(mode, size, (0, 0, 255, 90)[: len(mode)])
    image.paste((255, 0, 0, 255)[: len(mode)], (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def with_exif(kind: str, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (29.0, 36.0, 12.0)
    return picture(kind, exif=exif, **({"quality": 95} if kind != "PNG" else {}))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_the_picture_is_kept(kind: str) -> None:
    body = with_exif(kind)
    assert SECRET in body
    photo, kept = cleaned(body + b"behind the end " + SECRET)
    assert SECRET not in kept
    with Image.open(io.BytesIO(kept)) as image:
        assert (image.format, image.size, dict(image.getexif())) == (kind, (60, 40), {})
        red, blue = image.convert("RGB").getpixel((10, 20)), image.convert("RGB").getpixel((50, 20))
    assert red[0] > 200 > 100 > red[2]
    assert blue[2] > 200 > 100 > blue[0]
    assert (photo.type, photo.size, photo.width, photo.height) == (f"image/{kind.lower()}", len(kept), 60, 40)
    assert photo.sha256 == hashlib.sha256(kept).hexdigest()


def test_texts_of_a_png_are_gone() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    assert SECRET not in cleaned(picture("PNG", pnginfo=info))[1]


def test_a_picture_is_turned_upright_as_its_exif_said() -> None:
    photo, kept = cleaned(with_exif("JPEG", orientation=6))
    assert (photo.width, photo.height) == (40, 60)
    with Image.open(io.BytesIO(kept)) as image:
        assert image.convert("RGB").getpixel((20, 10))[0] > 200


def test_a_transparent_picture_stays_transparent() -> None:
    _, kept = cleaned(picture("PNG", mode="RGBA"))
    with Image.open(io.BytesIO(kept)) as image:
        assert image.mode == "RGBA"


def test_a_large_picture_is_made_smaller() -> None:
    photo, _ = cleaned(picture("JPEG", (6000, 20)))
    assert (photo.width, photo.type) == (LONGEST, "image/jpeg")


def test_the_same_picture_is_kept_under_the_same_name() -> None:
    assert cleaned(with_exif("JPEG"))[0] == cleaned(with_exif("JPEG") + b"x")[0]


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that says it is very large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"", "not_a_photo", 422),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "not_a_photo", 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_photo", 422),
        (b"%PDF-1.7", "not_a_photo", 422),
        (picture("GIF"), "not_a_photo", 422),
        (picture("BMP"), "not_a_photo", 422),
        (picture("TIFF"), "not_a_photo", 422),
        (picture("JPEG", (600, 400))[:2000], "not_a_photo", 422),
        (picture("PNG", (600, 400))[:900], "not_a_photo", 422),
        (picture("WEBP", (600, 400))[:100], "not_a_photo", 422),
        (bomb(30_000, 30_000), "too_many_pixels", 422),
        (bomb(2**31 - 1, 2**31 - 1), "too_many_pixels", 422),
        (bomb(5_000, 5_000), "not_a_photo", 422),
        (bytes(LIMIT_BYTES + 1), "photo_too_large", 413),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_photo_of_bearable_size_is_refused(body: bytes, code: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        cleaned(body)
    assert (refused.value.code, refused.value.status) == (code, status)


def test_a_file_is_kept_once_and_a_damaged_one_is_not_given_out(tmp_path: Path) -> None:
    folder = PhotoFolder(tmp_path / "attachments")
    photo, kept = cleaned(picture())
    folder.keep(photo.sha256, kept)
    folder.keep(photo.sha256, kept)
    (file,) = [path for path in folder.path.rglob("*") if path.is_file()]
    assert (file.name, file.stat().st_mode & 0o777) == (photo.sha256, 0o600)
    assert folder.read(photo.sha256) == kept
    file.write_bytes(kept[:-1])
    assert folder.read(photo.sha256) is None
    assert folder.read("0" * 64) is None


def test_a_photo_is_a_move_once_for_each_picture_and_survives_a_rerun(town: Town) -> None:
    town.raised()
    case = town.only()
    photo, _ = cleaned(picture())
    first = town.casework.attach(case.id, photo, actor("handler"), t_ms=town.t)
    again = town.casework.attach(case.id, photo, actor("operator"), t_ms=town.t)
    other = town.casework.attach(case.id, cleaned(picture("PNG"))[0], actor("operator"), t_ms=town.t)
    assert (first.n, again.n, other.n) == (1, 1, 2)
    assert again == first
    assert town.only().version == case.version + 2
    event = town.story().events[-1]
    assert (event.move, event.data["photos"]) == ("attach", [f"/api/v1/cases/{case.id}/attachments/2"])
    assert event.data["attachment"]["sha256"] == other.sha256
    assert town.casework.attachments(case.id, actor("viewer")) == [first, other]
    assert town.casework.attachments(case.id, actor("viewer", area="330200")) is None


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (actor("viewer"), 403),
        (actor("auditor"), 403),
        (actor("handler", "gas"), 403),
        (actor("operator", area="9"), 403),
    ],
)
def test_who_may_not_work_on_a_case_adds_no_photo(town: Town, who: object, status: int) -> None:
    town.raised()
    with pytest.raises(Refused) as refused:
        town.casework.may_attach(town.only().id, who)  # type: ignore[arg-type]
    assert refused.value.status == status
