"""What images are made of: a training image (a pipeline's components and what they need), and a serving image (a server and a version).

Layers that change seldom lie below those that change often, so that most of an image is there already wherever one like it was.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lykeion.adapters.images.code import code_content, platform_content
from lykeion.adapters.images.model import ModelFile, model_parts
from lykeion.adapters.images.pyc import Compiler
from lykeion.core.content import canonical, digest_of_value
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.oci import Layer, Settings
from lykeion.core.images.places import APP, DOCUMENTS, LABEL, PACKAGES, PYTHON, SCRIPTS, VOLUME
from lykeion.core.images.sbom import model_url
from lykeion.core.models.manifest import Manifest
from lykeion.core.pipelines.signature import ParameterSignature, Signature
from lykeion.core.serving import names

Part = Content | Layer | ModelFile

ENV = {
    "PATH": f"/{SCRIPTS}:/usr/local/bin:/usr/bin:/bin",
    "PYTHONPATH": f"/{PACKAGES}",
    "PYTHONUNBUFFERED": "1",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
}


@dataclass(frozen=True, slots=True)
class Foundation:
    """What lies below the code: the base, the packages, and what compiles for it. `interpreter`: Python's path in the base."""

    base: tuple[Content | Layer, ...]
    wheels: tuple[Content, ...]
    compiler: Compiler
    interpreter: str = "/usr/bin/python3"
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image to be: its parts from the lowest on, how it is started, and what it is called. `about`: what the SBOM lists besides."""

    name: str
    parts: tuple[Part, ...]
    settings: Settings
    about: tuple[tuple[str, str], ...] = ()


def training(name: str, folder: Path, files: tuple[str, ...], signatures: Mapping[str, Signature], under: Foundation) -> Recipe:
    """The image that runs a pipeline's steps. `files`: what is needed beside the components' own sources, for instance the pipeline's file.

    Raises Invalid with every file that cannot be in an image.
    """
    sources = {source for signature in signatures.values() for source in signature.sources}
    parts = (
        *under.base,
        *under.wheels,
        platform_content(under.compiler, under.interpreter),
        code_content(folder, {*files, *sources}, under.compiler),
    )
    told = {reference: summary(signature) for reference, signature in sorted(signatures.items())}
    return Recipe(
        name,
        parts,
        Settings(
            entrypoint=(f"/{SCRIPTS}/lykeion",),
            command=("run", f"/{APP}/{files[0]}") if files else ("--help",),
            env={**ENV, **under.env, "LYKEION_HOME": f"/{VOLUME}"},
            folder=f"/{APP}",
            labels={f"{LABEL}.components": canonical(told).decode(), f"{LABEL}.pipeline": name},
        ),
    )


def summary(signature: Signature) -> dict[str, object]:
    """What a component can be wired and given, and its identity; without what it does not say, since a label travels with each change."""
    told = signature.to_json()
    said = {name: told[name] for name in ("identity", "role", "inputs", "optional", "outputs", "partitions", "windowed") if told[name]}
    unsaid = asdict(ParameterSignature("string"))
    parameters = {
        name: {key: value for key, value in given.items() if key == "type" or value != unsaid[key]}
        for name, given in told["parameters"].items()
    }
    return said | ({"parameters": parameters} if parameters else {})


def serving(manifest: Manifest, folder: Path, under: Foundation) -> Recipe:
    """The image that serves a version, whose files lie in `folder`."""
    name = f"{manifest.model}:{manifest.version}"
    parts = (
        *under.base,
        *under.wheels,
        platform_content(under.compiler, under.interpreter),
        link(f"{VOLUME}/models/{manifest.model}/{manifest.version}", "/model"),
        *model_parts(manifest, folder),
    )
    labels = {
        f"{LABEL}.model": manifest.model,
        f"{LABEL}.version": str(manifest.version),
        f"{LABEL}.digest": manifest.digest,
        f"{LABEL}.training": str(manifest.lineage.get("training", "")),
        f"{LABEL}.key": str(manifest.lineage.get("key", "")),
    }
    settings = Settings(
        entrypoint=(f"/{PYTHON}", "-m"),
        command=server(manifest),
        env={**ENV, **under.env},
        labels={name: value for name, value in labels.items() if value},
    )
    return Recipe(name, parts, settings, ((model_url(manifest.model, manifest.version), manifest.digest),))


def server(manifest: Manifest) -> tuple[str, ...]:
    """The server of a version and what it is told: an index has the index server, a space the proxy, since it holds the extractor."""
    files = {file.path for file in manifest.files}
    common = ("--socket", "/tmp/server.sock", "--documents", f"/{DOCUMENTS}", "--volume", f"/{VOLUME}")
    if "index.json" in files:
        return (names.INDEX_MODULE, *common, "--document", names.load_document(manifest.model), "--family", manifest.model)
    if "space.json" in files:
        family = manifest.model.removesuffix("-space")
        return (names.PROXY_MODULE, *common, "--document", names.cover_document(family), "--family", family)
    return ("lykeion.cli.main", "--help")


def link(path: str, target: str) -> Content:
    """A layer that makes a place of the image known by the name that servers use."""
    return Content("settings", f"/{path}", digest_of_value({path: target}), lambda: [Entry(path, "link", target=target)])
