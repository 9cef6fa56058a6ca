"""The handlers that the settings name. A place that cannot be used stops the service at once."""

import importlib
import logging
import sys
from logging.handlers import TimedRotatingFileHandler, WatchedFileHandler

from binder_federation.config.launch_events import HandlerSettings, LaunchEventSettings
from binder_federation.config.load import ConfigurationError


def make_handlers(settings: LaunchEventSettings) -> list[logging.Handler]:
    """One handler for each place. Raises `ConfigurationError` with the place's name."""
    handlers: list[logging.Handler] = []
    if settings.file is not None:
        handlers.append(_file(settings))
    if settings.stdout:
        handlers.append(logging.StreamHandler(sys.stdout))
    handlers.extend(_further(each) for each in settings.handlers)
    return handlers


def _file(settings: LaunchEventSettings) -> logging.Handler:
    assert settings.file is not None  # noqa: S101 - asked by the caller
    try:
        if settings.rotate == "daily":
            return TimedRotatingFileHandler(
                settings.file,
                when="midnight",
                utc=True,
                backupCount=settings.kept_files,
                encoding="utf-8",
            )
        return WatchedFileHandler(settings.file, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"launch_events.file: {settings.file} cannot be written: {error.strerror}."
        ) from error


def _further(settings: HandlerSettings) -> logging.Handler:
    module_name, _, name = settings.make.partition(":")
    try:
        make = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"launch_events.handlers: {settings.make} cannot be imported.",
            advice="Write it as package.module:name, with the package installed.",
        ) from error
    try:
        handler = make(**settings.options)
    except Exception as error:
        raise ConfigurationError(
            f"launch_events.handlers: {settings.make} cannot be made with its options "
            f"({type(error).__name__})."
        ) from error
    if not isinstance(handler, logging.Handler):
        raise ConfigurationError(f"launch_events.handlers: {settings.make} is no logging handler.")
    return handler
