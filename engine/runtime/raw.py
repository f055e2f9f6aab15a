"""Bytes of any kind inside a JSON record: text where they are UTF-8, else base64."""

from __future__ import annotations

import base64
from collections.abc import Mapping


def raw_text(raw: bytes) -> dict[str, str]:
    """Return `raw`, or `raw_base64` where the bytes are no UTF-8."""
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode()}


def raw_bytes(row: Mapping[str, object]) -> bytes:
    """Return the bytes that `raw_text` kept."""
    if "raw" in row:
        return str(row["raw"]).encode()
    return base64.b64decode(str(row["raw_base64"]))
