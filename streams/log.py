"""Logs: one line an event, for people on a terminal and as JSON elsewhere."""

import logging
import sys
from typing import Literal

LogFormat = Literal["auto", "text", "json"]
Level = Literal["debug", "info", "warning", "error"]

# Each of these says at INFO what ours say better, or says it once per partition and second.
_QUIET = ("faust", "mode", "aiokafka", "asyncio")


def _worth_saying(record: logging.LogRecord) -> bool:
    """Leave out what Faust's services say of their own starting and stopping: `[^-Consumer]: Stopping...`."""
    return record.levelno > logging.INFO or not str(record.msg).startswith("[^")


def configure(level: Level = "info", log_format: LogFormat = "auto") -> None:
    """Send all logs to standard error; `auto` is text on a terminal and JSON otherwise."""
    import structlog  # noqa: PLC0415  # commands that only silence their clients need not wait for it

    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if as_text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    handler.addFilter(_worth_saying)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def silence_clients() -> None:
    """Hear nothing of the Kafka client: for commands that show themselves how things stand.

    It logs each retry as an error: topics that were made a moment ago, a broker that is being restarted.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
