"""A TCP proxy in front of a database server that stops, delays or cuts what passes through it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator


class Proxy:
    """Passes bytes between clients and a server, in threads.

    Attributes:
        delay: Seconds that each chunk is held back.
    """

    def __init__(self, host: str, port: int) -> None:
        self.delay = 0.0
        self._target = (host, port)
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """The port that the proxy listens on."""
        return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """Forward nothing more, but take connections and acknowledge what is sent."""
        self._open.clear()

    def resume(self) -> None:
        """Forward again, also what was held back."""
        self._open.set()

    def cut(self) -> None:
        """Close all connections."""
        while self._sockets:
            with suppress(OSError):
                self._sockets.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all connections, and take no new ones."""
        self.resume()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._sockets.append(client)
        self._open.wait()
        with suppress(OSError), client, socket.create_connection(self._target) as server:
            self._sockets.append(server)
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                time.sleep(self.delay)
                self._open.wait()
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(url: str, **options: float) -> Iterator[tuple[Proxy, str]]:
    """Yield a proxy before a database's server, and the URL through it with some options."""
    parsed = make_url(url)
    ports = {"postgresql": 5432, "mysql": 3306}
    assert parsed.host is not None
    proxy = Proxy(parsed.host, parsed.port or ports[parsed.get_backend_name()])
    through = parsed.set(host="127.0.0.1", port=proxy.port)
    through = through.update_query_dict({name: str(value) for name, value in options.items()})
    try:
        yield proxy, through.render_as_string(hide_password=False)
    finally:
        proxy.close()
