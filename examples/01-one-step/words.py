"""Two components: one counts words, one says which are the most frequent."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

from lykeion import Input, Output, Range, Step, component


@component(files=["poem.txt"])
def count(counts: Output) -> None:
    words = (Path(__file__).parent / "poem.txt").read_text().lower().split()
    (counts.path / "counts.json").write_text(json.dumps(Counter(word.strip(".,;") for word in words)))


@component
def top(counts: Input, best: Output, *, n: Annotated[int, Range(1, 100)] = 3, step: Step) -> None:
    found = Counter(json.loads((counts.path / "counts.json").read_text())).most_common(n)
    (best.path / "best.txt").write_text("\n".join(word for word, _ in found))
    step.metric("words", len(found))
