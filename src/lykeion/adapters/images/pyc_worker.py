"""Compiles Python files one after the other, for pyc.py: run as a script by the interpreter that the image has (3.11 or newer).

Reads JSON lines {"file": path or "", "text": the source where there is no file, in Latin-1, "name": its path in the image, "to": path}
and prints one line for each: {"size": bytes of what it wrote} or {"skipped": why it is no Python}.

What `marshal` writes depends on who else in the process holds a string, and on which strings other files left interned. So the code is
written in the old form that shares nothing, read again (now nothing of it is shared but interned names), and written while all its
strings are held. Strings of at most one character are one object in a process, so they are interned before all. The same source then
gives the same bytes in any process of the same Python.
"""

import _imp
import json
import marshal
import os
import sys
from importlib.util import MAGIC_NUMBER, source_hash
from types import CodeType
from typing import Any

UNCHECKED_HASH = 1  # PEP 552: the source is never looked at
UNSHARED = 2  # the last version of marshal's format without references


def canonical(code: CodeType, name: str) -> bytes:
    """The code's marshalled form, with `name` as the file it came from."""
    alone = marshal.loads(marshal.dumps(code, UNSHARED))
    _imp._fix_co_filename(alone, name)  # type: ignore[attr-defined]  # as importlib does; one string for all
    held: list[Any] = []
    hold(alone, held)
    return marshal.dumps(alone)


def hold(code: CodeType, held: list[Any]) -> None:
    for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, (code.co_name, code.co_qualname)):
        held += names
    hold_constants(code.co_consts, held)


def hold_constants(constants: tuple[Any, ...] | frozenset[Any], held: list[Any]) -> None:
    for constant in constants:
        if isinstance(constant, str):
            held.append(constant)
        elif isinstance(constant, tuple | frozenset):
            hold_constants(constant, held)
        elif isinstance(constant, CodeType):
            hold(constant, held)


def compile_one(wanted: dict[str, str]) -> dict[str, Any]:
    if wanted["file"]:
        with open(wanted["file"], "rb") as file:
            source = file.read()
    else:
        source = wanted["text"].encode("latin-1")
    try:
        code = compile(source, "", "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return {"skipped": str(error)}
    made = MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little") + source_hash(source) + canonical(code, wanted["name"])
    os.makedirs(os.path.dirname(wanted["to"]), exist_ok=True)
    beside = f"{wanted['to']}.{os.getpid()}"
    with open(beside, "wb") as out:
        out.write(made)
    os.replace(beside, wanted["to"])
    return {"size": len(made)}


if __name__ == "__main__":
    everywhere = [sys.intern(text) for text in ("", *map(chr, range(256)))]
    for line in sys.stdin.buffer:
        print(json.dumps(compile_one(json.loads(line))))
