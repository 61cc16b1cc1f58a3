"""Spans for OpenTelemetry, of the extra ``tracing``; without it, or without an endpoint, they are nothing.

On once ``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` is set, or ``OTEL_TRACES_EXPORTER`` is
``console``; the other ``OTEL_…`` variables mean what they always mean
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/, read 2026-11-22).
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

log = logging.getLogger(__name__)


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """Time a step: ``run``, ``collect``, ``deliver``, ``message``.

    Args:
        name: The step.
        attributes: Ids and counts, never addresses.
    """
    tracer = _tracer()
    if tracer is None:
        yield
        return
    from opentelemetry.trace import StatusCode

    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as exc:
            # Its kind only: what it says may hold what a server repeated.
            current.set_status(StatusCode.ERROR, type(exc).__name__)
            raise


@cache
def _tracer() -> "Tracer | None":
    wanted = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_off or (wanted != "console" and (wanted != "otlp" or not any(map(os.environ.get, _ENDPOINTS)))):
        return None
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = _exporter(wanted)
    except ImportError:
        log.warning("OTEL_… is set, but there are no spans: pip install 'paperround[tracing]'")
        return None
    name = os.environ.get("OTEL_SERVICE_NAME") or "paperround"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("paperround")


def _exporter(wanted: str) -> "SpanExporter":
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    if wanted == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    exporter: SpanExporter = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    return exporter
