"""ClickHouse's own block compression (`compress=1`, `decompress=1`): checksum, method, sizes, data.

Source of the format: ClickHouse's `CompressedWriteBuffer` and `CompressionInfo.h`. The checksum is the CityHash128 of
version 1.0.2, over everything behind it.
"""

from __future__ import annotations

import struct

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from stir_assets.local.clickhouse.errors import ClickHouseError, Code

CHECKSUM_BYTES = 16
HEADER = struct.Struct("<BII")  # method, size of header and compressed data, size of the data
_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_BLOCK_BYTES = 1 << 20
_MAX_BLOCK_BYTES = 1 << 30


class FrameEncoder:
    """Compresses a stream into LZ4 blocks of up to 1 MiB, as a server does."""

    def compress(self, data: bytes | memoryview) -> bytes:
        """The blocks of `data`."""
        return b"".join(_block(data[at : at + _BLOCK_BYTES]) for at in range(0, len(data), _BLOCK_BYTES))

    def flush(self) -> bytes:
        """Nothing: every block is complete."""
        return b""


def _block(data: bytes | memoryview) -> bytes:
    packed = lz4.block.compress(data, store_size=False)
    rest = HEADER.pack(_LZ4, HEADER.size + len(packed), len(data)) + packed
    return _checksum(rest) + rest


def _checksum(rest: bytes) -> bytes:
    number = CityHash128(rest)
    return struct.pack("<QQ", number >> 64, number & 0xFFFFFFFFFFFFFFFF)


def size_of_block(head: bytes) -> int:
    """How many bytes a block has in all, from its first ones; raises `ClickHouseError`."""
    _method, compressed, size = HEADER.unpack_from(head, CHECKSUM_BYTES)
    if compressed < HEADER.size or size > _MAX_BLOCK_BYTES:
        raise _failed("not a ClickHouse block")
    return CHECKSUM_BYTES + compressed


def decode_block(block: bytes) -> bytes:
    """The data of one whole block; raises `ClickHouseError` when it was damaged on its way."""
    checksum, rest = block[:CHECKSUM_BYTES], block[CHECKSUM_BYTES:]
    if _checksum(rest) != checksum:
        raise ClickHouseError(
            Code.CHECKSUM_DOESNT_MATCH, "Checksum doesn't match: corrupted data in the request body"
        )
    method, _compressed, size = HEADER.unpack_from(rest)
    packed = rest[HEADER.size :]
    try:
        if method == _LZ4:
            return lz4.block.decompress(packed, uncompressed_size=size)
        if method == _ZSTD:
            return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except Exception as error:
        raise _failed(str(error)) from None
    if method == _NONE:
        return packed
    raise _failed(f"unknown block method {method:#x}")


def _failed(why: str) -> ClickHouseError:
    return ClickHouseError(Code.CANNOT_DECOMPRESS, f"Cannot decompress the request body: {why}")
