"""The description of the search API (OpenAPI 3.1)."""

from typing import Any

from lykeion.core.search.collapse import LEAST, MOST
from lykeion.core.search.filters import LONGEST_FILTER, MOST_FILTERS
from lykeion.core.search.merge import MOST_ITEMS
from lykeion.servers.question import LONGEST_ITEM

PROBLEMS = {
    "400": "A bad k, filter, vector or form; the body is empty",
    "404": "No such family or item",
    "408": "The request came too slowly",
    "413": "The request is too large",
    "414": "The URL is too long",
    "415": "This is no picture that can be read",
    "422": "The picture is damaged, or unpacks to too many pixels",
    "431": "The headers are too many or too long",
    "503": "Not ready yet, or too many pictures wait",
}


def text(description: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "string", **({"description": description} if description else {}), **more}


def thing(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def only(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Other properties are refused."""
    return {**thing(properties, *required), "additionalProperties": False}


NONE = {"type": "null"}
PROBLEM = thing(
    {"type": text(), "title": text(), "status": {"type": "integer"}, "detail": text(), "request_id": text()}, "status", "detail"
)
NULLABLE = ["string", "null"]
FOUND = thing(
    {
        "id": text("Of the listing."),
        "score": {"type": "number", "description": "Cosine of the query and the item's most alike picture."},
        "title": {"type": NULLABLE},
        "category": {"type": NULLABLE},
        "price": {"type": ["number", "null"]},
        "status": {"type": NULLABLE},
        "picture": text("Path of the picture that was most alike; ?size=64 … 1024."),
        "duplicates": {
            "type": "array",
            "items": text(),
            "description": "With `collapse`: items that were found and show the same picture, best first.",
        },
    },
    "id",
    "score",
    "picture",
)
VERSION = thing({"model": text(), "version": {"type": "integer"}, "digest": text()}, "model", "version", "digest")
INDEX = thing({**VERSION["properties"], "answered": {"type": "boolean"}, "reason": text()}, "model", "version", "answered")
ANSWER = thing(
    {
        "request_id": text(),
        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
        "partial": {"type": "boolean", "description": "An index did not answer in time; `indexes` says which and why."},
        "indexes": {"type": "array", "items": INDEX},
        "embedding": text("What made the vectors; those of different embeddings cannot be compared."),
        "took_ms": {"type": "number"},
        "next": {"type": NULLABLE, "description": "Give it as ?next= to get the following page."},
    },
    "request_id",
    "items",
    "partial",
    "indexes",
    "embedding",
    "took_ms",
    "next",
)
END = {"type": ["number", "string"], "description": "Of numbers (decimals as text), and of times (RFC 3339)."}
BOUND = {"type": ["number", "null"], "description": "null: none."}
FIELD = thing(
    {
        "name": text("What a filter names."),
        "kind": text(enum=["text", "texts", "number", "flag", "time"]),
        "values": {
            "type": "array",
            "items": thing({"value": text(), "items": {"type": "integer"}}, "value", "items"),
            "description": "Most items first; left out where nearly every item has another one, or none.",
        },
        "other": {"type": "integer", "description": "Items with a value that is not told."},
        "ranges": {
            "type": "array",
            "items": thing({"from": BOUND, "under": BOUND, "items": {"type": "integer"}}, "from", "under", "items"),
            "description": "Of numbers: how many items lie where (>= from, < under); ranges without any are left out.",
        },
        "least": END,
        "most": END,
    },
    "name",
    "kind",
)
QUERY = [
    {"name": "k", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 10}},
    {
        "name": "filter",
        "in": "query",
        "description": "FIELD:VALUE, FIELD:A|B, FIELD:<N, FIELD:>=N; repeated filters all hold. \\ before :, |, < or > makes it plain.",
        "schema": {"type": "array", "items": text(pattern="^[^:]+:.+$", maxLength=LONGEST_FILTER), "maxItems": MOST_FILTERS},
        "explode": True,
    },
    {
        "name": "collapse",
        "in": "query",
        "description": "Items that show the same picture become one: the cosine from which two pictures count as the same, as 0.98.",
        "schema": {"type": "number", "minimum": LEAST, "maximum": MOST},
    },
    {"name": "next", "in": "query", "schema": text("As the last answer gave it.")},
]


def describe(family: str) -> dict[str, Any]:
    """Of one family, or with the family "{family}" of all."""
    served = thing(
        {
            "family": text(),
            "items": {"type": "integer", "description": "Left out, with `fields`, while an index server does not answer."},
            "fields": {"type": "array", "items": {"$ref": "#/components/schemas/Field"}},
            "indexes": {"type": "array", "items": VERSION},
            "embedding": text(),
            "dimension": {"type": "integer"},
        }
    )
    bodies = {
        "image/*": {"schema": text("The picture's bytes.", format="binary")},
        "application/octet-stream": {"schema": text("The picture's bytes.", format="binary")},
        "multipart/form-data": {"schema": thing({"image": text(format="binary")}, "image")},
        "application/json": {
            "schema": {
                "oneOf": [
                    only({"item": text("More like this listing.", minLength=1, maxLength=LONGEST_ITEM), "vector": NONE}, "item"),
                    only({"vector": {"type": "array", "items": {"type": "number"}, "minItems": 1}, "item": NONE}, "vector"),
                ]
            }
        },
    }
    whole = [{"name": "family", "in": "path", "required": True, "schema": text()}] if "{" in family else []
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lykeion photo search", "version": "1", "description": "Find an item by a photo of it."},
        "paths": {
            f"/v1/search/{family}": {
                "parameters": whole,
                "get": {
                    "summary": "What is served",
                    "operationId": "served",
                    "responses": answered("What is served.", served, "404", "408", "414", "431", "503"),
                },
                "post": {
                    "summary": "The items most like a picture, an item or a vector",
                    "operationId": "search",
                    "parameters": QUERY,
                    "requestBody": {"required": True, "content": bodies},
                    "responses": answered("Best first.", {"$ref": "#/components/schemas/Answer"}, *PROBLEMS),
                },
            }
        },
        "components": {"schemas": {"Answer": ANSWER, "Field": FIELD, "Item": FOUND, "Problem": PROBLEM}},
    }


def answered(description: str, schema: dict[str, Any], *codes: str) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    good = {"200": {"description": description, "content": {"application/json": {"schema": schema}}}}
    return good | {code: {"description": PROBLEMS[code], "content": problem} for code in codes}
