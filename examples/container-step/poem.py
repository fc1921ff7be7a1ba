"""What the container counts the words of."""

from lykeion import Output, component


@component
def write(poem: Output) -> None:
    (poem.path / "poem.txt").write_text("O my Luve is like a red, red rose\n")
