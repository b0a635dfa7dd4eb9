"""A loopback Hub: speaks the HTTP API of the Hugging Face Hub well enough for the real client and for `datasets`.

Two servers run, as in life: the Hub itself, and a storage host that the Hub sends large files to and from. The second
must never see a token. Traced with huggingface_hub 2.4 and datasets 5.2. By hand:

    python -m tests.publish.hub --port 8999

and then, in another shell, HF_ENDPOINT=http://127.0.0.1:8999 HF_TOKEN=hf_me for the client.
"""

from __future__ import annotations

import argparse
import re
import threading
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.publish import api, git
from tests.publish.faults import Asked, Fault
from tests.publish.store import Account, Repo, State
from tests.publish.wire import Handler, Reply, StorageHandler

ROUTES = [(re.compile(pattern), function) for pattern, function in (*api.ROUTES, *git.ROUTES)]


class Hub:
    """``with Hub() as hub:`` serves on `hub.endpoint`; `hub.log` holds every request, `hub.faults` the harm to do."""

    def __init__(
        self,
        accounts: Sequence[Account] = (Account("me", "hf_me", orgs=("lab",)),),
        *,
        port: int = 0,
        multipart_over: int = 1 << 62,
        chunk: int = 1 << 20,
        page: int = 1000,
    ) -> None:
        self.state = State(accounts={a.name: a for a in accounts})
        self.multipart_over, self.chunk, self.page = multipart_over, chunk, page
        self.verify_at = ""
        """Another host that batch answers name for the check after an upload: it must not get the token."""
        self.log: list[Asked] = []
        self.faults: list[Fault] = []
        self.on_request: Any = None
        """Called with (number, moment) before and after each request's work; kill tests end a process here."""
        self.servers = [_server(Handler, port, self, "hub"), _server(StorageHandler, 0, self, "storage")]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.servers[0].server_port}"

    @property
    def storage(self) -> str:
        return f"http://localhost:{self.servers[1].server_port}"

    def __enter__(self) -> Hub:
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def repo(self, name: str) -> Repo:
        return self.state.repos[name]

    def sent(self) -> int:
        """Bytes of payload that reached storage, and of commits, since the log was cleared."""
        return sum(a.received for a in self.log if a.method == "PUT" or "/commit/" in a.path)

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> Reply:
        """Route one request to the Hub itself."""
        parts = urlsplit(target)
        path, query = unquote(parts.path), {k: v[-1] for k, v in parse_qs(parts.query).items()}
        # A revision may hold a slash, which clients quote: routes are matched on the quoted path.
        account = self.state.account(headers.get("authorization"))
        for pattern, function in ROUTES:
            match = pattern.fullmatch(f"{method} {parts.path}")
            if match:
                asked = api.Question(self, account, {k: unquote(v or "") for k, v in match.groupdict().items()},
                                     query, headers, body, method)  # fmt: skip
                with self.state.lock:
                    return function(asked)
        return Reply.error(404, f"no such route: {method} {path}")


def _server(handler: type, port: int, hub: Hub, name: str) -> ThreadingHTTPServer:
    bound = type(name.title(), (handler,), {"hub": hub, "role": name})
    server = ThreadingHTTPServer(("127.0.0.1", port), bound)
    server.daemon_threads = True
    return server


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="a loopback Hub; it forgets everything when it stops")
    parser.add_argument("--port", type=int, default=8999)
    parser.add_argument("--user", default="me")
    parser.add_argument("--token", default="hf_me")
    given = parser.parse_args()
    with Hub([Account(given.user, given.token)], port=given.port, multipart_over=64 << 20, chunk=16 << 20) as hub:
        print(f"a Hub for {given.user} (token {given.token}) at {hub.endpoint}; Ctrl-C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
