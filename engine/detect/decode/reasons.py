"""Why a reading goes to quarantine: a closed set, used as a metric label."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The rule that a rejected reading broke."""

    BAD_UTF8 = "bad_utf8"
    BAD_JSON = "bad_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    BAD_TYPE = "bad_type"
    BAD_SENSOR = "bad_sensor"
    BAD_KIND = "bad_kind"
    BAD_TIME = "bad_time"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    BAD_PLACE = "bad_place"
    BAD_CRS = "bad_crs"
    BAD_ATTRS = "bad_attrs"
    FRAME_TOO_LARGE = "frame_too_large"
    CONTROL_IN_FRAME = "control_in_frame"
    BAD_CONTROL = "bad_control"


class Deadly(StrEnum):
    """Why a whole record goes to quarantine that no rule could be asked about."""

    KILLS_PROCESS = "kills_process"
    RAISES = "raises"


class Refusal(Exception):
    """One text is not a reading: the reason, and `field: rule; got value` as the detail."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


SHOWN_CHARACTERS = 80


def got(value: object) -> str:
    """Render a value for a detail text, cut to `SHOWN_CHARACTERS`, always printable and encodable."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
