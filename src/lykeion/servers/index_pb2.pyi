from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchRequest(_message.Message):
    __slots__ = ("vectors", "dimension", "k", "filters", "indexes", "with_vectors")
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    WITH_VECTORS_FIELD_NUMBER: _ClassVar[int]
    vectors: bytes
    dimension: int
    k: int
    filters: _containers.RepeatedScalarFieldContainer[str]
    indexes: _containers.RepeatedScalarFieldContainer[str]
    with_vectors: bool
    def __init__(self, vectors: _Optional[bytes] = ..., dimension: _Optional[int] = ..., k: _Optional[int] = ..., filters: _Optional[_Iterable[str]] = ..., indexes: _Optional[_Iterable[str]] = ..., with_vectors: _Optional[bool] = ...) -> None: ...

class SearchReply(_message.Message):
    __slots__ = ("indexes",)
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    indexes: _containers.RepeatedCompositeFieldContainer[IndexHits]
    def __init__(self, indexes: _Optional[_Iterable[_Union[IndexHits, _Mapping]]] = ...) -> None: ...

class IndexHits(_message.Message):
    __slots__ = ("index", "problem", "queries")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    index: str
    problem: str
    queries: _containers.RepeatedCompositeFieldContainer[Hits]
    def __init__(self, index: _Optional[str] = ..., problem: _Optional[str] = ..., queries: _Optional[_Iterable[_Union[Hits, _Mapping]]] = ...) -> None: ...

class Hits(_message.Message):
    __slots__ = ("items", "scores", "pictures", "fields", "vectors")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedScalarFieldContainer[str]
    scores: bytes
    pictures: bytes
    fields: bytes
    vectors: bytes
    def __init__(self, items: _Optional[_Iterable[str]] = ..., scores: _Optional[bytes] = ..., pictures: _Optional[bytes] = ..., fields: _Optional[bytes] = ..., vectors: _Optional[bytes] = ...) -> None: ...

class VectorsRequest(_message.Message):
    __slots__ = ("item", "indexes")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    item: str
    indexes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item: _Optional[str] = ..., indexes: _Optional[_Iterable[str]] = ...) -> None: ...

class VectorsReply(_message.Message):
    __slots__ = ("index", "vectors", "dimension")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    index: str
    vectors: bytes
    dimension: int
    def __init__(self, index: _Optional[str] = ..., vectors: _Optional[bytes] = ..., dimension: _Optional[int] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("indexes",)
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    indexes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, indexes: _Optional[_Iterable[str]] = ...) -> None: ...

class DescribeReply(_message.Message):
    __slots__ = ("indexes",)
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    indexes: _containers.RepeatedCompositeFieldContainer[IndexFacts]
    def __init__(self, indexes: _Optional[_Iterable[_Union[IndexFacts, _Mapping]]] = ...) -> None: ...

class IndexFacts(_message.Message):
    __slots__ = ("index", "items", "facets")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    index: str
    items: int
    facets: bytes
    def __init__(self, index: _Optional[str] = ..., items: _Optional[int] = ..., facets: _Optional[bytes] = ...) -> None: ...
