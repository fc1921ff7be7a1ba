"""Compiles Python files one after the other, for pyc.py: run as a script by the interpreter that the image has (3.11 or newer).

Reads marshalled tuples (file: path or "", the source where there is no file, its path in the image), one after the other, and writes for
each its .pyc, marshalled, or nothing (b"") where it is no Python. It imports next to nothing: starting costs more than one file.

What `marshal` writes depends on who else in the process holds a string, and on which strings other files left interned. So the code is
written in the old form that shares nothing, read again (now nothing of it is shared but interned names), and written while all its
strings are held. Strings of at most one character are one object in a process, so they are interned before all. The same source then
gives the same bytes in any process of the same Python.
"""

import _imp
import marshal
import sys
from _frozen_importlib_external import MAGIC_NUMBER  # importlib.util has it too, and takes as long as all else here
from types import CodeType

UNCHECKED_HASH = 1  # PEP 552: the source is never looked at
UNSHARED = 2  # the last version of marshal's format without references


def canonical(code: CodeType, name: str) -> bytes:
    """The code's marshalled form, with `name` as the file it came from."""
    alone = marshal.loads(marshal.dumps(code, UNSHARED))
    _imp._fix_co_filename(alone, name)  # type: ignore[attr-defined]  # as importlib does; one string for all
    held: list[object] = []
    hold(alone, held)
    return marshal.dumps(alone)


def hold(code: CodeType, held: list[object]) -> None:
    for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, (code.co_name, code.co_qualname)):
        held += names
    hold_constants(code.co_consts, held)


def hold_constants(constants: tuple[object, ...] | frozenset[object], held: list[object]) -> None:
    for constant in constants:
        if isinstance(constant, str):
            held.append(constant)
        elif isinstance(constant, tuple | frozenset):
            hold_constants(constant, held)
        elif isinstance(constant, CodeType):
            hold(constant, held)


def compile_one(file: str, text: bytes, name: str) -> bytes:
    if file:
        with open(file, "rb") as stream:
            text = stream.read()
    try:
        code = compile(text, "", "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, OverflowError):
        return b""
    digest = _imp.source_hash(int.from_bytes(MAGIC_NUMBER, "little"), text)
    return MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little") + digest + canonical(code, name)


def main() -> None:
    while True:
        try:
            wanted = marshal.load(sys.stdin.buffer)
        except EOFError:
            return
        sys.stdout.buffer.write(marshal.dumps(compile_one(*wanted)))


if __name__ == "__main__":
    everywhere = [sys.intern(text) for text in ("", *map(chr, range(256)))]
    main()
