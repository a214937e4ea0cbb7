"""From a message to the envelope that the detector reads (docs/kafka.md)."""

from __future__ import annotations

from typing import Final

_TEXT: Final = (
    r"^(?:[\\x09\\x20-\\x7E]++"
    r"|[\\xC2-\\xDF][\\x80-\\xBF]"
    r"|\\xE0[\\xA0-\\xBF][\\x80-\\xBF]|[\\xE1-\\xEC\\xEE\\xEF][\\x80-\\xBF]{2}|\\xED[\\x80-\\x9F][\\x80-\\xBF]"
    r"|\\xF0[\\x90-\\xBF][\\x80-\\xBF]{2}|[\\xF1-\\xF3][\\x80-\\xBF]{3}|\\xF4[\\x80-\\x8F][\\x80-\\xBF]{2})*+\\z"
)
"""UTF-8 without control characters, for PCRE in bytes, as a string of the language. It never goes back a step."""

_FIELDS: Final = (
    "logwarden=int(1) listener=string($SOURCE) peer=string(${.logwarden.peer}) received=double(${R_UNIXTIME}.${R_USEC})"
)


def _rewrites(name: str, fields: str) -> str:
    """Return the rules that put a message into an envelope, as text and as bytes."""
    return f"""\
rewrite "{name}" {{ set("$(format-json --scope none {fields} message=string($MESSAGE))" value("MESSAGE")); }};
# JSON is UTF-8: any other bytes would be changed in it, and are written in base64.
rewrite "{name}-of-bytes" {{
    set("$(format-json --scope none {fields} message_base64=string($(base64-encode $MESSAGE)))" value("MESSAGE"));
}};
"""


ENVELOPE: Final = f"""\
filter "text" {{ match("{_TEXT}" value("MESSAGE") type(pcre)); }};
{_rewrites("envelope", _FIELDS)}\
rewrite "sender" {{ set("$SOURCEIP" value(".logwarden.peer")); }};
"""

LATE_ENVELOPE: Final = _rewrites("late-envelope", f"{_FIELDS} late=boolean(true)")
"""The same for messages that may have been written long before."""


def to_kafka(envelope: str) -> str:
    """Return the end of a path: a message goes into an envelope of this name, and to Kafka."""
    return f"""\
    if (filter("text")) {{ rewrite("{envelope}"); }} else {{ rewrite("{envelope}-of-bytes"); }};
    destination("kafka");"""
