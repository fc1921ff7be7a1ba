"""Where something was written: the path of a field, the line it stands on, and problems that say both."""

from dataclasses import dataclass, field

from lykeion.errors import Problem

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one mapping or list of a file: its own and, by key or position, those of what is in it. A scalar is a bare number."""

    line: int
    inside: "dict[str, Lines | int] | list[Lines | int]" = field(repr=False)

    def at(self, path: Path) -> int:
        """The line of the field at `path`, or of the nearest one around it that is there."""
        here: Lines | int = self
        for part in path:
            if isinstance(here, int):
                break
            found = here.child(part)
            if found is None:
                break
            here = found
        return here if isinstance(here, int) else here.line

    def child(self, part: str | int) -> "Lines | int | None":
        if isinstance(part, str):
            return self.inside.get(part) if isinstance(self.inside, dict) else None
        return self.inside[part] if isinstance(self.inside, list) and part < len(self.inside) else None

    def rename(self, path: Path, meant: str) -> None:
        """A field is known by another name too: by the one that a misspelt one was meant to have."""
        here: Lines | int | None = self
        for part in path[:-1]:
            here = here.child(part) if isinstance(here, Lines) else None
        if isinstance(here, Lines) and isinstance(here.inside, dict):
            found = here.child(path[-1])
            if found is not None:
                here.inside.setdefault(meant, found)


def written(path: Path) -> str:
    """`("spec", "steps", 2, "with", "size")` as people write it: spec.steps[2].with.size"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a file: what problems in it are reported against. Without a file, problems name the field alone."""

    file: str = ""
    lines: Lines | None = None
    path: Path = ()

    def at(self, *path: str | int) -> "Place":
        return Place(self.file, self.lines, (*self.path, *path))

    def problem(self, message: str, remedy: str = "", value: object = None) -> Problem:
        line = self.lines.at(self.path) if self.lines is not None else 0
        return Problem(message, field=written(self.path), value=value, file=self.file, line=line, remedy=remedy)
