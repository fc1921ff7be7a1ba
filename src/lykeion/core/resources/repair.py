"""Reading on behind a mistake, so that one run finds all of them: what is wrong is taken out or replaced, and the rest is read again.

A value that was repaired is only looked at for more problems; nobody runs it.
"""

import json
import re
from typing import Any, TypeVar

from pydantic import ValidationError

from lykeion.core.resources.metadata import Resource
from lykeion.core.resources.places import Path, Place
from lykeion.core.resources.sentences import Fault, faults
from lykeion.core.resources.suggest import STAND_IN
from lykeion.errors import Problem

R = TypeVar("R", bound=Resource)

ROUNDS = 8  # each takes out everything that was found; what is wrong below something wrong comes to light in the next

STAND_INS: dict[str, Any] = {
    "name": STAND_IN,
    "model": STAND_IN,
    "serving": STAND_IN,
    "family": STAND_IN,
    "output": f"{STAND_IN}.out",
    "metadata": {"name": STAND_IN},
    "start": "2000-01-01T00:00:00Z",
    "end": "2000-01-02T00:00:00Z",
}


class Repaired:
    """Plain data that is being read as a resource, with what was changed in it so far."""

    def __init__(self, data: dict[str, Any], place: Place) -> None:
        self.data = data
        self.place = place
        self.changed: set[Path] = set()
        self.deleted: set[Path] = set()
        self.problems: list[Problem] = []

    def take(self, found: list[Fault]) -> bool:
        """Note what is new of what was found, and repair all of it. False where the data cannot be read on."""
        extra = [fault for fault in found if fault.kind == "extra_forbidden"]
        meant = {(*fault.path[:-1], fault.meant) for fault in extra if fault.meant}
        for fault in found:
            if fault.path not in self.changed and fault.path not in meant and not self.follows(fault):
                self.problems.append(self.place.at(*fault.path).problem(fault.message, fault.remedy, fault.value))
        # From the end, so that what is taken out does not hide what was found in it.
        in_turn = sorted(found, key=lambda fault: (-len(fault.path), fault.kind == "missing"))
        return not [fault for fault in in_turn if not self.repair(fault)]

    def follows(self, fault: Fault) -> bool:
        """Whether it is there only because something was taken out: "either a component or an image" where the component was wrong."""
        gone = {str(path[-1]) for path in self.deleted if path[:-1] == fault.path}
        return fault.kind == "value_error" and not gone.isdisjoint(re.findall(r"\w+", fault.message))

    def holder(self, path: Path) -> Any:
        here: Any = self.data
        for part in path[:-1]:
            if isinstance(here, dict):
                here = here.get(part) if isinstance(part, str) else None
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                here = here[part]
            else:
                return None
        return here

    def repair(self, fault: Fault) -> bool:
        if not fault.path:
            return False
        key, holder = fault.path[-1], self.holder(fault.path)
        if holder is None:  # what held it is gone already
            return True
        self.changed.add(fault.path)
        if isinstance(holder, list) and isinstance(key, int):
            return self.repair_entry(holder, key, fault)
        if fault.kind == "missing":
            if key not in STAND_INS and key != "steps":
                return False
            holder.setdefault(key, self.stand_in(fault.path))
            return True
        value = holder.pop(key, None)
        if fault.kind != "extra_forbidden":
            self.deleted.add(fault.path)
        elif fault.meant and fault.meant not in holder:
            holder[fault.meant] = value
            if self.place.lines is not None:
                self.place.lines.rename(fault.path, fault.meant)
        return True

    def repair_entry(self, entries: list[Any], number: int, fault: Fault) -> bool:
        """An entry of a list keeps its number, which paths and lines go by."""
        entry, path = entries[number], fault.path[:-1]
        if path[-1:] == ("steps",) and fault.kind != "string_type":  # a Training's `steps` are names
            old = entry if isinstance(entry, dict) else {}
            kept = {name: old[name] for name in ("name", "inputs") if name in old}
            entries[number] = {"name": f"{STAND_IN}-{number}", **kept, "image": STAND_IN}
        elif path[-1:] == ("publish",):
            entries[number] = {name: STAND_INS[name] for name in ("output", "model")}
            self.changed |= {(*path, number, name) for name in entries[number]}
        else:
            return self.repair(Fault("wrong_type", path, ""))
        return True

    def stand_in(self, path: Path) -> Any:
        if path[-1] == "steps":
            return [{"name": STAND_IN, "image": STAND_IN}]
        return f"{STAND_IN}-{path[-2]}" if path[-1] == "name" and len(path) > 1 else STAND_INS[str(path[-1])]


def read(kind: type[R], data: dict[str, Any], place: Place) -> tuple[R | None, list[Problem], set[Path]]:
    """(the resource as far as it could be read, every problem of its fields, the paths where it is not what was written)."""
    repaired = Repaired(data, place)
    for _ in range(ROUNDS):
        try:
            return strictly(kind, repaired.data), repaired.problems, repaired.changed
        except ValidationError as error:
            if not repaired.take(faults(error, repaired.data, kind)):
                break
    return None, repaired.problems, repaired.changed


def strictly(kind: type[R], data: dict[str, Any]) -> R:
    """Nothing is converted but what JSON writes as text: "4" is no number, and fields have only the names that are written."""
    return kind.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)
