"""`python -m reports serve`: the latest report while runs go on, made again when their results change.

It reads the same files as `python -m reports`, shows the same page, and writes nothing.
"""

import argparse
import asyncio
import errno
import hashlib
import ipaddress
import json
import os
import shlex
import socket
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import uvicorn
from markupsafe import escape
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from reports.arguments import add_paths
from reports.page import render
from reports.sources.error import SourceError
from reports.sources.find import find
from reports.sources.read import read
from reports.sources.repository import add_arguments, as_arguments, from_arguments

# The page's own policy stands in the page; a policy in the page cannot say who may frame it.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]
# A connection that says nothing for long is closed by what stands between browser and server.
SIGN_OF_LIFE_SECONDS = 15.0
STEP_SECONDS = 0.2


class Edition(NamedTuple):
    """What is shown now.

    Attributes:
        page: the last page that could be made; empty before the first.
        version: what `page` was made of, as `fingerprint` says.
        note: why the newest results are not shown, if they are not.
    """

    page: str = ""
    version: str = ""
    note: str = ""


class Press:
    """Makes the page again when what it is made of changes.

    Args:
        paths: What is watched.
        make: Makes the page, given the address that tells of newer results.
    """

    def __init__(self, paths: Iterable[Path], make: Callable[[str], str]):
        self.edition = Edition()
        self._paths = list(paths)
        self._make = make
        self._tried = ""

    def look(self) -> None:
        """Looks for newer results. Whatever goes wrong stands in the edition's note, and the page before stays."""
        try:
            version = fingerprint(self._paths)
            if version == self._tried:
                return
            self._tried = version
            page = self._make(f"updates?since={version}").encode(errors="replace").decode()
            self.edition = Edition(page, version)
        except SourceError as error:
            self._tried = ""
            self.edition = self.edition._replace(note=f"The newest results are not shown: {error}")
        except Exception as error:  # a mistake in this package: the server outlives it, and says it
            traceback.print_exc()
            said = f"The newest results are not shown: the report failed ({type(error).__name__}: {error})."
            self.edition = self.edition._replace(note=said)

    def run(self, interval: float, stop: threading.Event) -> None:
        """Looks again and again."""
        while not stop.wait(interval):
            self.look()


def fingerprint(paths: Iterable[Path]) -> str:
    """A text that changes with the names, sizes and times of the result files at or below `paths`."""
    digest = hashlib.sha256()
    for found in find(paths, lambda path, reason: None):
        for path in sorted(_files(found)):
            try:
                status = path.stat()
            except OSError:  # gone since it was listed: the next look sees the same
                continue
            digest.update(os.fsencode(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0"))
    return digest.hexdigest()[:16]


def _files(found: Path) -> Iterator[Path]:
    if found.is_dir():
        for folder, _, names in os.walk(found):
            yield from (Path(folder, name) for name in names)
    else:
        yield found


def application(press: Press, hosts: list[str], closing: Callable[[], bool]) -> Starlette:
    """The server's two addresses.

    Args:
        press: What it shows.
        hosts: Names by which it may be asked for: a page elsewhere whose name leads here is not among them.
        closing: Whether the server is about to end; connections that wait for news then end too.
    """

    async def page(request: Request) -> Response:
        edition = press.edition
        return HTMLResponse(edition.page or _nothing_yet(edition.note), headers=HEADERS)

    async def updates(request: Request) -> Response:
        told = _tell(press, request.query_params.get("since", ""), closing)
        return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)

    return Starlette(
        routes=[Route("/", page, methods=["GET"]), Route("/updates", updates, methods=["GET"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
    )


async def _tell(press: Press, since: str, closing: Callable[[], bool]) -> AsyncIterator[str]:
    """Server-sent events: a note whenever it changes, and "newer" once the page is another than that of `since`."""
    note, silent = "", 0.0
    yield ": here\n\n"
    while not closing():
        edition = press.edition
        if edition.version != since:
            yield f"event: newer\ndata: {edition.version}\n\n"
            return
        if edition.note != note:
            note, silent = edition.note, 0.0
            yield f"event: note\ndata: {json.dumps(note)}\n\n"
        elif silent >= SIGN_OF_LIFE_SECONDS:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(STEP_SECONDS)
        silent += STEP_SECONDS


def _nothing_yet(note: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        '<meta name="color-scheme" content="light dark"><title>AlphaAdam: no report yet</title></head>'
        f"<body><main><h1>No report yet</h1><p>{escape(note)}</p></main></body></html>"
    )


def main(arguments: list[str]) -> int:
    """Serves until it is told to end; returns 0, or 1 with one line on stderr where it cannot begin."""
    parser = argparse.ArgumentParser(
        prog="python -m reports serve",
        description="Shows the latest report while runs go on, and updates it as results arrive. Writes nothing.",
    )
    add_paths(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine)")
    parser.add_argument(
        "--port", type=_port, default=8000, help="port to listen on; 0 takes any that is free (default: %(default)s)"
    )
    parser.add_argument(
        "--interval",
        type=_seconds,
        default=2.0,
        metavar="SECONDS",
        help="how long to wait between two looks at the files (default: %(default)s)",
    )
    add_arguments(parser)
    options = parser.parse_args(arguments)
    command = shlex.join(["python", "-m", "reports", *map(str, options.paths), *as_arguments(options)])
    try:
        repository = from_arguments(options)
        for path in options.paths:
            if not path.exists():
                raise SourceError(f"{path}: no such file or folder. Name one that holds results, or will hold them.")
        listener = _listen(options.host, options.port)
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    press = Press(options.paths, lambda address: render(read(options.paths, repository), command, live=address))
    stop = threading.Event()
    with listener:
        try:
            _serve(press, listener, options.host, options.interval, stop)
        except KeyboardInterrupt:
            pass
        finally:
            stop.set()
    return 0


def _serve(press: Press, listener: socket.socket, host: str, interval: float, stop: threading.Event) -> None:
    local = _is_loopback(host)
    shown = f"[{host}]" if ":" in host else host
    if not local:
        print(
            f"warning: {host} is not this machine alone. Whoever can reach this address reads every result, with the "
            "names of files, machines and commits; nothing asks for a password.",
            file=sys.stderr,
        )
    print("reading the results ...", file=sys.stderr, flush=True)
    press.look()
    server: uvicorn.Server
    hosts = [*LOOPBACK_NAMES, shown.lower()] if local else ["*"]
    app = application(press, hosts, lambda: server.should_exit)
    # A browser may keep its connection open: nobody waits for it.
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=2))
    threading.Thread(target=press.run, args=(interval, stop), daemon=True).start()
    print(f"http://{shown}:{listener.getsockname()[1]}/ (Ctrl-C ends it)", flush=True)
    server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Takes the address before anything is read: a port that is in use is said at once.

    Raises:
        SourceError: The address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        said = os.strerror(error.errno) if taken and error.errno else error.strerror or str(error)
        other = "--port" if taken else "--host"
        raise SourceError(f"cannot listen on {host}, port {port}: {said}. Choose another with {other}.") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a whole number from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.05 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: seconds from 0.05 to 86400")
    return value
