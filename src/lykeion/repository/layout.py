"""Where everything lies in the repository.

<model>/<version>/…                the files, MLmodel, requirements.txt, and manifest.json, put last: it makes the version visible
<model>/claims/<version>.json      who has the number (create-only; never deleted, so no number is given twice)
<model>/contents/<digest>/<version>  a hint, put before the claim: under which numbers to look for a content
<model>/aliases/<name>/<n>.json    the alias's log (create-only); the highest n counts
<model>/images/<version>/<n>.json  what became of the version's image (create-only); the highest n counts
journal/<n>.json                   every publish, alias move and removal (create-only); n has no gaps
"""

from lykeion.core.models.manifest import MANIFEST

JOURNAL = "journal"


def version_folder(model: str, version: int) -> str:
    return f"{model}/{version}"


def manifest_key(model: str, version: int) -> str:
    return f"{model}/{version}/{MANIFEST}"


def claims_folder(model: str) -> str:
    return f"{model}/claims"


def claim_key(model: str, version: int) -> str:
    return f"{model}/claims/{version}.json"


def contents_folder(model: str, digest: str) -> str:
    return f"{model}/contents/{digest.removeprefix('sha256:')}"


def content_key(model: str, digest: str, version: int) -> str:
    return f"{contents_folder(model, digest)}/{version}"


def aliases_folder(model: str) -> str:
    return f"{model}/aliases"


def alias_key(model: str, name: str, n: int) -> str:
    return f"{model}/aliases/{name}/{n}.json"


def images_folder(model: str) -> str:
    return f"{model}/images"


def image_key(model: str, version: int, n: int) -> str:
    return f"{model}/images/{version}/{n}.json"


def journal_key(n: int) -> str:
    return f"{JOURNAL}/{n}.json"


def numbers(names: list[str]) -> list[int]:
    """The numbers among "7", "7.json" and other names, ascending."""
    stems = (name.removesuffix(".json") for name in names)
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdecimal())
