"""Lykeion: train, version, serve and search with many models, on one machine or on Kubernetes.

What a component's author needs is here; everything is loaded on first use, so that `import lykeion` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lykeion.components.base import Choice, Input, Output, Range, Step, Uri, Window, component

__version__ = "0.1.0"
__all__ = ["Choice", "Input", "Output", "Range", "Step", "Uri", "Window", "__version__", "component"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("lykeion.components.base"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
