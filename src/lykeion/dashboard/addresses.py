"""How the port is reached from outside: by which names, below which prefix, and through which proxies, which are then believed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from lykeion.errors import Invalid, Problem

PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
NAME = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?")
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Outside:
    """hosts: names, with a port where it is not the scheme's own. root_path: "" or "/some/path"."""

    hosts: frozenset[str] = frozenset()
    root_path: str = ""
    proxies: tuple[Network, ...] = ()


LOOPBACK_ONLY = Outside()


def outside(hosts: Iterable[str], root_path: str, proxies: Iterable[str]) -> Outside:
    """What was written on a command line. Raises Invalid with all that is wrong."""
    problems = [
        Problem(f"{host[:100]!r} is no NAME or NAME:PORT", "--host", host, remedy="for example lab.example")
        for host in hosts
        if not NAME.fullmatch(host)
    ]
    root = root_path_of(root_path)
    if root is None:
        text = f"{root_path[:100]!r} is no path below which a proxy can serve"
        problems.append(Problem(text, "--root-path", root_path, remedy="for example /lykeion"))
    networks: list[Network] = []
    for proxy in proxies:
        try:
            networks.append(ip_network(proxy))
        except ValueError as wrong:
            problems.append(Problem(f"this is no address: {wrong}", "--trusted-proxy", proxy, remedy="for example 10.0.0.7 or 10.0.0.0/24"))
    if problems:
        raise Invalid(problems)
    return Outside(frozenset(hosts), root or "", tuple(networks))


def root_path_of(text: str) -> str | None:
    """ "/lykeion/" and "lykeion" -> "/lykeion"; "" and "/" -> ""; None where it is no path."""
    inner = text.strip("/")
    root = f"/{inner}" if inner else ""
    return root if PREFIX.fullmatch(root) and not {".", ".."} & set(root.split("/")) else None


def below(path: str, root: str) -> str:
    """A path as the port knows it: without the prefix, which a proxy may have taken away already."""
    return path[len(root) :] or "/" if path == root or path.startswith(f"{root}/") else path
