"""How the command reaches a federation: its address, and errors a person can use."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from binder_federation.runtime.bounded import clean_text
from binder_federation.runtime.errors import ServiceError

DEFAULT_URL = "http://127.0.0.1:8080"


class FederationUnreachable(ServiceError):
    """Nobody answers at the federation's address."""

    code = "federation_unreachable"
    status = 502


def add_federation_option(parser: argparse.ArgumentParser) -> None:
    """Add `--federation URL`; the variable BINDERFED_URL is its default."""
    parser.add_argument(
        "--federation",
        metavar="URL",
        default=os.environ.get("BINDERFED_URL", DEFAULT_URL),
        help="the federation's address (default: %(default)s, or the variable BINDERFED_URL)",
    )


def read_answer(answer: httpx.Response) -> Any:
    """What the federation answers, as JSON that may be printed.

    What members and joiners call themselves is in it. A terminal would obey the control
    characters in there, so they are replaced, however the federation kept them.
    """
    return _printable(answer.json())


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value, len(value))
    if isinstance(value, list):
        return [_printable(each) for each in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(each) for name, each in value.items()}
    return value


@contextmanager
def readable_errors(url: str) -> Iterator[None]:
    """Turn a failed request to the federation at `url` into `FederationUnreachable`."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise FederationUnreachable(f"{url!r} is no address of a federation.") from error
    except httpx.ConnectError as error:
        raise FederationUnreachable(
            f"Nobody answers at {url}.",
            advice="Start a federation with `binderfed up`, or name one with --federation URL.",
        ) from error
    except httpx.HTTPStatusError as error:
        raise FederationUnreachable(
            f"{url} answered with status {error.response.status_code}."
        ) from error
    except httpx.HTTPError as error:
        raise FederationUnreachable(f"The federation at {url} stopped answering.") from error
    except ValueError as error:
        raise FederationUnreachable(f"{url} does not answer as a federation does.") from error
