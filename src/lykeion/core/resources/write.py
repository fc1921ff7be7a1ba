"""Resources -> YAML that reads back as the same values."""

from typing import Any

import yaml

from lykeion.core.resources.metadata import Resource
from lykeion.core.resources.yaml_text import plain_scalar

WIDTH = 120
LINE_ENDS = "\r\x85\u2028\u2029"  # which readers fold into spaces or turn into \n


class Writer(yaml.SafeDumper):
    """YAML 1.2: text that another reader could take for a number, a word such as `no`, or a date stands in quotes."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the base class's signature
        return True

    def text(self, value: str) -> yaml.Node:
        quoted = not isinstance(plain_scalar(value), str) or any(other in value for other in LINE_ENDS)
        style = '"' if quoted else "|" if "\n" in value.rstrip("\n") else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)


Writer.add_representer(str, Writer.text)


def to_yaml(*resources: Resource) -> str:
    """The resources as one file, a document each, without what was not said."""
    return to_yaml_text(*({"apiVersion": one.api_version, "kind": one.kind, **one.to_dict()} for one in resources))


def to_yaml_text(*values: Any) -> str:
    """Plain JSON values as one YAML file, in their own order."""
    return yaml.dump_all(values, Dumper=Writer, sort_keys=False, allow_unicode=True, width=WIDTH, explicit_start=len(values) > 1)
