"""Quantities of Kubernetes in the one form in which the API server gives them back."""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(r"^(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]?)$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}


def canonical(quantity: str) -> str:
    """Return a quantity without a fraction and with the largest suffix: ``0.5`` is ``500m``, ``1024Mi`` is ``1Gi``.

    What has another form, such as ``1e3``, stays as it is.
    """
    found = _QUANTITY.match(quantity)
    if found is None:
        return quantity
    number, suffix = Decimal(found[1]), found[2]
    if suffix in _BINARY:
        return _binary(number * _BINARY[suffix], quantity)
    return _decimal(number * Decimal(10) ** _DECIMAL[suffix], quantity)


def _binary(value: Decimal, otherwise: str) -> str:
    for suffix, size in reversed(_BINARY.items()):
        if value >= size and value % size == 0:
            return f"{int(value // size)}{suffix}"
    return _decimal(value, otherwise) if value < _BINARY["Ki"] else _whole(value, otherwise)


def _decimal(value: Decimal, otherwise: str) -> str:
    if value == 0:
        return "0"
    for suffix, power in reversed(_DECIMAL.items()):
        if value % (size := Decimal(10) ** power) == 0:
            return f"{int(value / size)}{suffix}"
    return otherwise


def _whole(value: Decimal, otherwise: str) -> str:
    return str(int(value)) if value == int(value) else otherwise
