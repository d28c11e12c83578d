"""Why records are rejected, and how that is said."""

from enum import StrEnum

_MAX_DETAIL = 200
_MAX_EXCERPT = 60


class Reason(StrEnum):
    """Why a record was rejected; the label of a metric, so the set stays small."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"
    NOT_UTF8 = "not_utf8"
    INVALID_JSON = "invalid_json"
    INVALID_CSV = "invalid_csv"
    WRONG_TYPE = "wrong_type"
    WRONG_LENGTH = "wrong_length"
    NO_FEATURES = "no_features"
    OUT_OF_RANGE = "out_of_range"
    BAD_KEY = "bad_key"
    BAD_TIMESTAMP = "bad_timestamp"
    BAD_HEADERS = "bad_headers"
    TOO_MANY_FEATURES = "too_many_features"


class RejectedError(Exception):
    """The value cannot be used; caught by `decode`, which lists it among the rejects."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail[:_MAX_DETAIL])
        self.reason = reason


def kind(value: object) -> str:
    """Name the JSON type, which is also the reader's word for it."""
    if value is None:
        return "nothing"
    kinds = {bool: "a boolean", str: "text", dict: "an object", list: "an array"}
    return kinds.get(type(value), "a number")


def excerpt(value: object) -> str:
    """Return how the value is written, or how that begins."""
    shown = repr(value)
    return shown if len(shown) <= _MAX_EXCERPT else f"{shown[:_MAX_EXCERPT]}..."
