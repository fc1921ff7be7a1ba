"""Which of the known names somebody probably meant."""

from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

ALIKE = 0.66  # two names are alike from this ratio on: one slip in a word of three letters, two in one of seven
OTHER_WORDS = {"float": "number", "double": "number", "int": "integer", "bool": "boolean", "str": "string", "text": "string", "path": "uri"}
SHOWN = 8
STAND_IN = "stand-in"  # how names begin that nobody wrote, put where one was missing so that reading can go on


def plain(name: str) -> str:
    """Without case and separators: `pipeline_ref`, `PipelineRef` and `pipeline-ref` are the same slip of `pipelineRef`."""
    return name.casefold().replace("-", "").replace("_", "")


def nearest(name: object, known: Collection[str]) -> str | None:
    """The known name that is most like `name`, or None where none is alike."""
    if not isinstance(name, str) or not name:
        return None
    wanted = plain(name)
    if OTHER_WORDS.get(wanted) in known:
        return OTHER_WORDS[wanted]
    best, best_ratio = None, ALIKE
    matcher = SequenceMatcher(b=wanted, autojunk=False)
    for candidate in sorted(known):
        matcher.set_seq1(plain(candidate))
        if matcher.real_quick_ratio() < best_ratio or matcher.quick_ratio() < best_ratio:
            continue
        ratio = matcher.ratio()
        if ratio > best_ratio or (ratio == best_ratio and best is None):
            best, best_ratio = candidate, ratio
    return best


def did_you_mean(name: object, known: Iterable[str], what: str = "known here") -> str:
    """The remedy for a name that does not exist: the nearest one, else what there is, else that there is nothing."""
    names = sorted({one for one in known if not one.startswith(STAND_IN)})
    best = nearest(name, names)
    if best is not None:
        return f"did you mean {best!r}?"
    if not names:
        return f"{what}: nothing"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what}: {', '.join(names[:SHOWN])}{more}"
