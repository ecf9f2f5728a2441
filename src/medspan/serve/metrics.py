"""What the service counts, for Prometheus: numbers and names of routes, nothing of a request."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DOCUMENTS = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "medspan_requests", "Requests.", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "medspan_request_seconds",
            "Seconds of a request.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.documents = Counter("medspan_documents", "Documents.", ("route",), registry=self.registry)
        self.characters = Counter(
            "medspan_characters", "Characters of documents.", ("route",), registry=self.registry
        )
        self.document_errors = Counter(
            "medspan_document_errors", "Documents without an answer.", ("route",), registry=self.registry
        )
        self.shed = Counter("medspan_shed", "Requests turned away with 429.", registry=self.registry)
        self.waiting = Gauge("medspan_waiting_documents", "Documents in the queue.", registry=self.registry)
        self.batches = Histogram(
            "medspan_batch_documents", "Documents of a batch.", buckets=_DOCUMENTS, registry=self.registry
        )
        self.failed_batches = Counter(
            "medspan_failed_batches", "Batches that no worker could do.", registry=self.registry
        )

    def batch(self, documents: int) -> None:
        """Count a batch."""
        self.batches.observe(documents)

    def text(self) -> bytes:
        """All of them in the text format of Prometheus."""
        return generate_latest(self.registry)
