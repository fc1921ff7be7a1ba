"""What the children of a family's two Servings are called, so that each finds the other's.

Every child has a name of its own, whatever its kind: an engine may keep them by name alone.
"""

INDEX_MODULE = "lykeion.servers.index_server"
PROXY_MODULE = "lykeion.servers.proxy_server"


def search_serving(family: str) -> str:
    """Also its Service: the proxy."""
    return family


def index_serving(family: str) -> str:
    """Also its Service: the index servers."""
    return f"{family}-index"


def cover_document(family: str) -> str:
    """Which indexes answer, where, and in which space; proxies follow it."""
    return f"{family}-cover"


def load_document(family: str) -> str:
    """Which versions index servers hold; they follow it."""
    return f"{family}-index-load"


def route_name(family: str) -> str:
    return f"{family}-route"


def route_prefix(family: str) -> str:
    return f"/v1/search/{family}"


def space_model(family: str) -> str:
    return f"{family}-space"
