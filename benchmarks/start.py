"""What it costs to start: the command line's help, and the import of the package, beside Metaflow's. CPU seconds, the least of seven."""

import sys
from pathlib import Path

from measure import least, table

BIN = Path(sys.executable).parent


def main() -> None:
    bare = least([sys.executable, "-c", "pass"])
    rows = [
        ("lykeion --help", least([BIN / "lykeion", "--help"]), "≤ 0.08"),
        ("import lykeion (above a bare Python)", least([sys.executable, "-c", "import lykeion"]) - bare, "≤ 0.03"),
        ("metaflow --help", least([BIN / "metaflow", "--help"]), ""),
        ("import metaflow (above a bare Python)", least([sys.executable, "-c", "import metaflow"]) - bare, ""),
    ]
    table(("what", "CPU-s", "goal"), rows)


if __name__ == "__main__":
    main()
