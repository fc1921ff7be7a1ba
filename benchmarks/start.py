"""What it costs to start: the command line, and the import of the package, beside Metaflow's. CPU seconds, the least of seven."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import least, table

BIN = Path(sys.executable).parent
PIPELINE = Path(__file__).parents[1] / "examples" / "01-one-step" / "pipeline.yaml"


def main() -> None:
    with TemporaryDirectory() as home:
        os.environ["LYKEION_HOME"] = home
        measure()


def measure() -> None:
    bare = least([sys.executable, "-c", "pass"])
    rows = [
        ("lykeion --help", least([BIN / "lykeion", "--help"]), "≤ 0.08"),
        ("import lykeion (above a bare Python)", least([sys.executable, "-c", "import lykeion"]) - bare, "≤ 0.03"),
        ("lykeion get trainings", least([BIN / "lykeion", "get", "trainings"]), ""),
        ("lykeion image list", least([BIN / "lykeion", "image", "list"]), ""),
        ("lykeion image build, nothing changed", least([BIN / "lykeion", "image", "build", PIPELINE]), ""),
        ("metaflow --help", least([BIN / "metaflow", "--help"]), ""),
        ("import metaflow (above a bare Python)", least([sys.executable, "-c", "import metaflow"]) - bare, ""),
    ]
    table(("what", "CPU-s", "goal"), rows)


if __name__ == "__main__":
    main()
