"""What a source text imports, and the identity of a component: a digest of all the code that decides its result.

Static imports only, wherever they stand in the text, those under `if TYPE_CHECKING:` left out. `import_module("a.b")` with a plain
string counts. What is imported in other ways is seen when a step ends, and its result is then not kept under the key.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lykeion.core.content import digest_of_value
from lykeion.core.pipelines.contract import CONTRACT_VERSION

IMPORTERS = frozenset({"import_module", "__import__"})


class Import(NamedTuple):
    """`import module` (no names), or `from module import names`; `level` counts the dots in front of a relative one."""

    level: int
    module: str
    names: tuple[str, ...] = ()


def imports_of(source: bytes | str) -> tuple[Import, ...]:
    """The imports of a source text, each once, in a stable order. Raises SyntaxError or ValueError where it is not Python."""
    return tuple(sorted(set(found_in(ast.parse(source)))))


def found_in(node: ast.AST) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            yield from (Import(0, name.name) for name in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield Import(level, module or "", tuple(sorted(name.name for name in names if name.name != "*")))
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=str(name)), *_]) if (
            called in IMPORTERS
        ):
            if name and not name.startswith("."):
                yield Import(0, name)
    if isinstance(node, ast.If) and is_for_type_checkers(node.test):
        for otherwise in node.orelse:
            yield from found_in(otherwise)
        return
    for inner in ast.iter_child_nodes(node):
        yield from found_in(inner)


def is_for_type_checkers(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING")


def modules_of(given: Import, package: str) -> tuple[str, ...]:
    """The modules that an import may load, outer packages first: "a.b" loads a, then a.b; `from a import b` perhaps a.b as well.

    `package`: the package that the importing module is in, "" for none; a relative import that leads out of it loads nothing.
    """
    base = given.module
    if given.level:
        above = package.split(".") if package else []
        if given.level > len(above):
            return ()
        base = ".".join([*above[: len(above) - given.level + 1], *([given.module] if given.module else [])])
    parts = base.split(".")
    outer = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return (*outer, *(f"{base}.{name}" for name in given.names))


def identity(function: str, modules: Mapping[str, str], files: Mapping[str, str], environment: Mapping[str, Any] | str, python: str) -> str:
    """Of a component: `function` is "module:function", by the name that its pickles carry.

    `modules`: the name that a module is imported by -> the SHA-256 of its source ("" is the component's own). `files`: the same of
    declared files. `environment`: the digest of the lock, or without one, distribution -> version. `python`: "3.11".
    """
    return digest_of_value(
        {
            "contract": CONTRACT_VERSION,
            "function": function,
            "modules": dict(modules),
            "files": dict(files),
            "environment": environment if isinstance(environment, str) else dict(environment),
            "python": python,
        }
    )
