"""What the port describes and what it answers are the same: schemathesis tries what is allowed, what is not, and other methods."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

SCHEMATHESIS = Path(__file__).parents[2] / ".cache" / "schemathesis" / "bin" / "schemathesis"
CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
SAME_EACH_TIME = ["--generation-deterministic"]
FURTHER = ["--generation-database", "none"]


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="schemathesis is missing: scripts/schemathesis makes its environment")
def test_the_platform_and_the_search_behind_it_answer_as_they_are_described(site: Any, tmp_path: Path) -> None:
    with urllib.request.urlopen(f"{site.url}/openapi.json", timeout=20) as described:
        assert "/v1/search/photos" in json.load(described)["paths"]
    command = [
        SCHEMATHESIS,
        "--config-file",
        CONFIGURATION,
        "run",
        f"{site.url}/openapi.json",
        "--header",
        f"Authorization: Bearer {site.token}",
    ]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--continue-on-failure", "--request-timeout", "20"]
    command += SAME_EACH_TIME if os.environ.get("CI") else FURTHER
    alone = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"NO_COLOR": "1", "COLUMNS": "140"}
    tried = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=380)
    assert tried.returncode == 0, tried.stdout + tried.stderr
