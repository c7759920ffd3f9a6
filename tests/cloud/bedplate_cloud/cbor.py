"""CBOR (RFC 8949), as much of it as Smithy's rpc-v2-cbor protocol uses."""

import struct
from datetime import UTC, datetime
from typing import Any

BREAK = object()


def decode(data: bytes) -> Any:
    """Read one value."""
    value, _ = _read(data, 0)
    return value


def _read(data: bytes, at: int) -> tuple[Any, int]:
    major, info = data[at] >> 5, data[at] & 0x1F
    at += 1
    if major == 7:
        return _simple(data, at, info)
    if info == 31:
        return _indefinite(data, at, major)
    number, at = _number(data, at, info)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        chunk = data[at : at + number]
        return (chunk if major == 2 else chunk.decode()), at + number
    if major == 4:
        return _list(data, at, number)
    if major == 5:
        return _map(data, at, number)
    value, at = _read(data, at)
    # Tag 1 is a time in seconds; no other tag occurs in this protocol.
    return (datetime.fromtimestamp(value, UTC) if number == 1 else value), at


def _number(data: bytes, at: int, info: int) -> tuple[int, int]:
    if info < 24:
        return info, at
    size = 1 << (info - 24)
    return int.from_bytes(data[at : at + size], "big"), at + size


def _simple(data: bytes, at: int, info: int) -> tuple[Any, int]:
    if info in (20, 21):
        return info == 21, at
    if info in (25, 26, 27):
        size, code = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}[info]
        return struct.unpack(code, data[at : at + size])[0], at + size
    return (BREAK if info == 31 else None), at


def _indefinite(data: bytes, at: int, major: int) -> tuple[Any, int]:
    items = []
    while True:
        value, at = _read(data, at)
        if value is BREAK:
            break
        items.append(value)
    if major == 4:
        return items, at
    if major == 5:
        return dict(zip(items[::2], items[1::2], strict=True)), at
    return (b"" if major == 2 else "").join(items), at


def _list(data: bytes, at: int, count: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(count):
        value, at = _read(data, at)
        items.append(value)
    return items, at


def _map(data: bytes, at: int, count: int) -> tuple[dict[Any, Any], int]:
    items, at = _list(data, at, count * 2)
    return dict(zip(items[::2], items[1::2], strict=True)), at


def encode(value: Any) -> bytes:
    """Write one value; times get tag 1."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, datetime):
        return b"\xc1" + encode(value.timestamp())
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return _head(3, len(data)) + data
    if isinstance(value, dict):
        return _head(5, len(value)) + b"".join(encode(key) + encode(one) for key, one in value.items())
    return _head(4, len(value)) + b"".join(encode(one) for one in value)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise ValueError(f"{number} is too large for CBOR")
