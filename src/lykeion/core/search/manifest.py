"""`index.json`: what an index directory says of itself (format 1), and the names of its files."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lykeion.core.search.facets import Facet
from lykeion.errors import Corrupt

FORMAT = 1
MANIFEST_FILE = "index.json"
CODES_FILE = "index.faiss"
VECTORS_FILE = "rows.fp16"
ROWS_FILE = "rows.arrow"
FLAT_UP_TO = 50_000  # rows: exact search is fast enough


class Tuning(BaseModel):
    """How an IVF index is searched, as measured when it was built.

    `nprobe`: lists that are scanned, `refine`: how many candidates per wanted row are scored again with their exact vectors, `ef`: how
    widely the graph of centroids is searched (where there is one), `recall_at_10`: what that reached on sample rows that it was not
    chosen on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    nprobe: int = Field(ge=1)
    refine: float = Field(ge=1)
    ef: int = Field(default=128, ge=1)
    recall_at_10: float = Field(ge=0, le=1)


class IndexManifest(BaseModel):
    """One index: of which family and generation, how it is searched, what is in it, and the digests of its files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    family: str
    tier: str = "all"
    generation: str
    embedding: str
    dimension: int = Field(ge=1, le=65536)
    metric: Literal["ip"] = "ip"
    kind: Literal["flat", "ivf"]
    window: tuple[str, str] | None = None
    rows: int = Field(ge=0)
    items: int = Field(ge=0)
    tuning: Tuning | None = None
    facets: tuple[Facet, ...] = ()
    files: dict[str, str]


def parse_manifest(text: str | bytes, where: str) -> IndexManifest:
    """Read `index.json`. `where` names the directory in errors. Raises Corrupt where it is no index of this format."""
    try:
        return IndexManifest.model_validate_json(text)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(map(str, first["loc"])) or MANIFEST_FILE
        raise Corrupt(
            f"{where}: {MANIFEST_FILE} is not of index format {FORMAT}: {place}: {first['msg']} (build the index again)"
        ) from None
