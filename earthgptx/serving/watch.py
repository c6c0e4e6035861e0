"""What an operator sees of a running server: metrics for Prometheus, and a log of one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_WAITS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
# What `logging` puts on every record by itself; all else was given by whoever logged it.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class Metrics:
    """Counters of one app, in a registry of their own so that two apps in a process do not mix."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "earthgptx_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "earthgptx_request_seconds",
            "From a request to its last byte.",
            ["route"],
            buckets=_WAITS,
            registry=registry,
        )
        self._queue_seconds = Histogram(
            "earthgptx_queue_seconds", "A question's wait for the model.", buckets=_WAITS, registry=registry
        )
        self._batch_size = Histogram(
            "earthgptx_batch_size", "Questions in a batch.", buckets=(1, 2, 4, 8, 16, 32), registry=registry
        )
        self._answers = Counter("earthgptx_questions", "Questions that came to an end.", ["outcome"], registry=registry)

    def batch(self, waited: Sequence[float]) -> None:
        """A batch begins; its questions waited so many seconds."""
        self._batch_size.observe(len(waited))
        for seconds in waited:
            self._queue_seconds.observe(seconds)

    def ended(self, outcome: str) -> None:
        """A question came to an end."""
        self._answers.labels(outcome).inc()

    def gauge(self, name: str, about: str, value: Callable[[], int]) -> None:
        """Adds a number that is read when it is asked for."""
        Gauge(f"earthgptx_{name}", about, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class JSONLines(logging.Formatter):
    """A log record as one JSON object, with the fields that were given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_as_json(level: int = logging.INFO) -> None:
    """Sends everything that is logged to stderr, a JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
