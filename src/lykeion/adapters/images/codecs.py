"""How layers are compressed. What a codec makes of the same bytes depends on its version, which is part of a layer's key."""

import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Protocol, cast

import zstandard

from lykeion.core.images.oci import TAR, TAR_GZIP, TAR_ZSTD
from lykeion.errors import Invalid, Problem

ZSTD_LEVEL = 3  # level 3 of zstd packs tighter than level 6 of gzip, at a sixth of its CPU
GZIP_LEVEL = 6
PIECE = 1 << 20  # bytes that are unpacked at once
GZIP_FORMAT = 31  # zlib's own gzip header: no name, no time


class Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """`key` names it with its version. `packer` makes one that packs one layer; None: nothing is packed."""

    name: str
    media_type: str
    key: str
    packer: Callable[[], Packer] | None = None

    def pack(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        if self.packer is None:
            yield from chunks
            return
        packer = self.packer()
        for chunk in chunks:
            if packed := packer.compress(chunk):
                yield packed
        yield packer.flush()


ZSTD = Codec(
    "zstd",
    TAR_ZSTD,
    f"zstd-{ZSTD_LEVEL} {'.'.join(map(str, zstandard.ZSTD_VERSION))}",
    lambda: zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=False).compressobj(),
)
GZIP = Codec(
    "gzip", TAR_GZIP, f"gzip-{GZIP_LEVEL} zlib {zlib.ZLIB_RUNTIME_VERSION}", lambda: zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
)
UNREADABLE = (tarfile.TarError, zlib.error, zstandard.ZstdError, EOFError, OverflowError)  # what reading a damaged layer raises
PLAIN = Codec("none", TAR, "none")
CODECS = {codec.name: codec for codec in (ZSTD, GZIP, PLAIN)}


def codec_named(name: str) -> Codec:
    """Raises Invalid for a name that no codec has."""
    if name not in CODECS:
        raise Invalid([Problem(f"there is no codec {name!r}", field="--codec", value=name, remedy=f"use one of {', '.join(CODECS)}")])
    return CODECS[name]


def unpack(media_type: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The tar of a layer, ours or another tool's. Raises Invalid for a media type that is not a layer's."""
    kind = media_type.rpartition("+")[2] if "+" in media_type else media_type.rpartition(".")[2]
    if kind == "zstd":
        yield from unpack_zstd(chunks)
    elif kind == "gzip":
        yield from unpack_gzip(chunks)
    elif kind == "tar":
        yield from chunks
    else:
        raise Invalid([Problem(f"{media_type} is no layer of an image", field="mediaType", value=media_type)])


def unpack_gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Of one member or several, as builders write whose layers are read from the middle. No piece is large, whatever is packed in it."""
    unzipper = zlib.decompressobj(GZIP_FORMAT)
    for chunk in chunks:
        rest = chunk
        while rest:
            if unzipper.eof:
                unzipper = zlib.decompressobj(GZIP_FORMAT)
            yield unzipper.decompress(rest, PIECE)
            rest = unzipper.unused_data if unzipper.eof else unzipper.unconsumed_tail
    while not unzipper.eof and (last := unzipper.decompress(unzipper.unconsumed_tail, PIECE)):
        yield last


def unpack_zstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Of one frame or several, as some builders write. No piece is large, whatever is packed in it."""
    packed = cast("IO[bytes]", Joined(chunks))
    with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True, closefd=False) as unpacker:
        while piece := unpacker.read(PIECE):
            yield piece


class Joined:
    """Pieces of a file as one that is read from the beginning on."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces, self.left = iter(pieces), b""

    def read(self, size: int) -> bytes:
        found = bytearray(self.left)
        while len(found) < size and (piece := next(self.pieces, None)) is not None:
            found += piece
        self.left = bytes(found[size:])
        return bytes(found[:size])
