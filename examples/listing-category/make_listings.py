"""Makes a small catalogue to try the pipeline on: drawn pictures with titles. Neither alone says every category; together they do.

python examples/listing-category/make_listings.py FOLDER
"""

import csv
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

SHAPES = ("ellipse", "rectangle", "polygon")
COLOURS = ("crimson", "royalblue", "seagreen", "orange", "purple")
WORDS = {"toy": ("for children", "play set", "ages three and up"), "sign": ("for the wall", "warning", "enamelled")}
COUNT = 240


def draw(shape: str, colour: str, chance: random.Random) -> Image.Image:
    picture = Image.new("RGB", (160, 160), (255, 255, chance.randint(200, 255)))
    left, top, size = chance.randint(5, 40), chance.randint(5, 40), chance.randint(60, 110)
    box = (left, top, left + size, top + size)
    corners = [(left + size // 2, top), (left, top + size), (left + size, top + size)]
    pen = ImageDraw.Draw(picture)
    if shape == "polygon":
        pen.polygon(corners, fill=colour)
    else:
        getattr(pen, shape)(box, fill=colour)
    return picture


def main(folder: Path) -> None:
    chance = random.Random(7)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    with (folder / "listings.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "title", "category", "price", "pictures"))
        for number in range(COUNT):
            shape, kind, colour = chance.choice(SHAPES), chance.choice(sorted(WORDS)), chance.choice(COLOURS)
            draw(shape, colour, chance).save(folder / "pictures" / f"{number}.png")
            title = f"{colour} {chance.choice(WORDS[kind])}"
            rows.writerow((f"item-{number}", title, f"{shape} {kind}", chance.randint(3, 90) * 100, f"pictures/{number}.png"))
    print(folder / "listings.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
