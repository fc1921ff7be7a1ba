"""What a trivial step costs, bookkeeping included: n steps that write a number, beside the same in Metaflow. Whole process trees."""

import argparse
import sys
import tempfile
from pathlib import Path

from measure import Cost, cost, table

BIN = Path(sys.executable).parent
WORK = """
from lykeion import Output, component
{imports}

@component
def say(out: Output, *, number: int) -> None:
    (out.path / "n.txt").write_text(str(number))
"""
FLOW = """
from metaflow import FlowSpec, step

class Flow(FlowSpec):
    @step
    def start(self):
        self.numbers = list(range({n}))
        self.next(self.say, foreach="numbers")

    @step
    def say(self):
        self.out = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    Flow()
"""


def pipeline(folder: Path, numbers: range, imports: str) -> Path:
    """A pipeline with a step for each number, whose component imports `imports`."""
    (folder / "work.py").write_text(WORK.format(imports=imports))
    steps = "".join(f"    - {{name: s{number}, component: './work.py:say', with: {{number: {number}}}}}\n" for number in numbers)
    text = f"apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: trivial}}\nspec:\n  steps:\n{steps}"
    path = folder / f"{numbers.start}-{numbers.stop}.yaml"
    path.write_text(text)
    return path


def ours(n: int, imports: str = "") -> Cost:
    """n steps less one step: what the other n - 1 cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [BIN / "lykeion", "run", "-q", "--home", folder / "home"]
        cost([*command, pipeline(folder, range(1), imports)])  # the component is described once and for all
        one = cost([*command, pipeline(folder, range(1, 2), imports)])
        more = cost([*command, pipeline(folder, range(2, n + 2), imports)])
        return Cost(more.cpu - one.cpu, more.wall)


def metaflow(n: int) -> Cost:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"METAFLOW_USER": "bench", "USERNAME": "bench"}

        def run(count: int) -> Cost:
            (folder / "flow.py").write_text(FLOW.format(n=count))
            return cost([sys.executable, "flow.py", "--quiet", "run", "--max-num-splits", str(count + 1)], folder, env)

        one, more = run(1), run(n)
        return Cost(more.cpu - one.cpu, more.wall)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("-n", type=int, default=1000)
    given.add_argument("--peer", type=int, default=20, help="steps in Metaflow (they take long)")
    args = given.parse_args()
    light = ours(args.n)
    heavy = ours(args.n // 4, "import faiss, numpy, obstore, onnxruntime, pyarrow, PIL")
    peer = metaflow(args.peer)
    per = light.cpu / (args.n - 1) * 1000
    rows = [
        ("lykeion, light parent", args.n, per, light.wall, "≤ 10 ms; 1000 in ≤ 15 s"),
        ("lykeion, search imports", args.n // 4, heavy.cpu / (args.n // 4 - 1) * 1000, heavy.wall, "≤ 15 ms"),
        ("metaflow", args.peer, peer.cpu / (args.peer - 1) * 1000, peer.wall, ""),
        ("metaflow / lykeion", "", peer.cpu / (args.peer - 1) * 1000 / per, "", "≥ 40"),
    ]
    table(("what", "steps", "CPU-ms a step", "seconds in all", "goal"), rows)


if __name__ == "__main__":
    main()
