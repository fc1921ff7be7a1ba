"""An index server keeps pandas out, and its first search is answered like any other."""

import subprocess
import sys


def test_arrow_works_from_the_first_call_on_where_pandas_is_kept_out() -> None:
    code = (
        "from lykeion.servers.index_server import IndexServer\n"
        "IndexServer.load(None)\n"
        "import pyarrow\n"
        "assert pyarrow.array([1, 2]).to_pylist() == [1, 2]\n"
        "try: import pandas\n"
        "except ModuleNotFoundError: print('kept out')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout == "kept out\n", ended.stderr
