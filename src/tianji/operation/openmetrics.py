"""An operation's numbers for a monitoring system: OpenMetrics text on this host's loopback address, when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tianji.errors import RunError
from tianji.operation.controller import Controller, State

LOOPBACK = "127.0.0.1"
CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def openmetrics_text(controller: Controller) -> str:
    """Return the numbers of an operation as OpenMetrics text."""
    return "".join(line + "\n" for line in _lines(controller)) + "# EOF\n"


def _lines(controller: Controller) -> Iterator[str]:
    used = len(controller.attempt.chips) if controller.attempt and controller.state is State.TRAINING else 0
    yield from _family("tianji_operation_state", "stateset", "Where the operation stands.")
    for state in State:
        yield f'tianji_operation_state{{tianji_operation_state="{state.value}"}} {int(controller.state is state)}'
    gauges = {
        "tianji_operation_steps": ("Optimizer steps of the whole job.", controller.settings.steps),
        "tianji_operation_done_steps": ("Steps that all ranks have finished.", controller.step + 1),
        "tianji_operation_saved_steps": (
            "Steps that the newest complete checkpoint holds.",
            (-1 if controller.saved is None else controller.saved) + 1,
        ),
        "tianji_operation_chips_in_use": ("Chips that train.", used),
        "tianji_operation_chips_free": ("Chips that could be had.", len(controller.free_chips())),
        "tianji_operation_chips_cordoned": ("Chips that a person has taken out.", len(controller.chips.cordoned)),
    }
    for name, (words, value) in gauges.items():
        yield from _family(name, "gauge", words)
        yield f"{name} {value}"
    counters = {
        "tianji_operation_failures": ("Failures that were seen since the controller began.", controller.failures),
        "tianji_operation_attempts": ("Attempts that were started.", controller.number),
    }
    for name, (words, value) in counters.items():
        yield from _family(name, "counter", words)
        yield f"{name}_total {value}"


def _family(name: str, kind: str, words: str) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    yield f"# HELP {name} {words}"


class LoopbackPage:
    """Answers ``/metrics`` with what ``read`` returns; only this host can ask."""

    def __init__(self, port: int, read: Callable[[], str]) -> None:
        """Listen at once; raises RunError when the port is taken."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_known = self.path.split("?")[0] == "/metrics"
                text = read() if is_known else "expected /metrics\n"
                self.send_response(200 if is_known else 404)
                self.send_header("Content-Type", CONTENT_TYPE if is_known else "text/plain; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        try:
            self._listener = ThreadingHTTPServer((LOOPBACK, port), Handler)
        except (OSError, OverflowError) as error:
            raise RunError(
                f"--openmetrics {port}: the port cannot be had ({error}); name another, or 0 for any"
            ) from None
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop to listen."""
        self._listener.shutdown()
        self._listener.server_close()
