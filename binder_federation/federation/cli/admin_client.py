"""How commands reach the admin API: the token, one request, and errors a person can use.

A token is never an argument: others on the machine see those, and the shell keeps them.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import httpx

from binder_federation.federation.cli.client import (
    FederationUnreachable,
    add_federation_option,
    read_answer,
    readable_errors,
)
from binder_federation.federation.cli.durations import duration, moment
from binder_federation.federation.own_token import read_token
from binder_federation.runtime.errors import ServiceError

TOKEN_VARIABLE = "BINDERFED_ADMIN_TOKEN"  # noqa: S105 - the variable's name
TIMEOUT_SECONDS = 30.0


class OrderRefused(ServiceError):
    """The federation did not do it, and says why."""

    code = "order_refused"


class NotUnderstood(ServiceError):
    """The command lacks something that it cannot ask for."""

    code = "not_understood"


def add_admin_options(parser: argparse.ArgumentParser) -> None:
    """Add the federation's address, and where the admin token is."""
    add_federation_option(parser)
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help=f"a file with the admin token (default: the variable {TOKEN_VARIABLE})",
    )


def add_reason(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add `--reason`."""
    parser.add_argument(
        "--reason", required=required, default="", help="why, in one line, for the audit"
    )


def add_end(parser: argparse.ArgumentParser) -> None:
    """Add `--for` and `--until`."""
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--for", dest="for_seconds", metavar="DURATION", type=duration, help="such as 30m, 2h, 7d"
    )
    end.add_argument("--until", metavar="TIME", type=moment, help="such as 2026-05-04T08:00 (UTC)")


def end_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """`--for` or `--until` as the API takes them."""
    given = {"for_seconds": arguments.for_seconds, "until": arguments.until}
    return {name: value for name, value in given.items() if value is not None}


def ask(
    arguments: argparse.Namespace, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The answer of `/api/admin/<path>`. Raises `OrderRefused` with the federation's sentence."""
    base = arguments.federation.rstrip("/")
    token = _token(arguments)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with readable_errors(base):
        answer = httpx.request(
            method,
            f"{base}/api/admin/{path}",
            json=body,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
        )
        told = read_answer(answer)
        if not isinstance(told, dict):
            raise FederationUnreachable(f"{base} does not answer as a federation does.")
        if answer.is_error:
            raise OrderRefused(
                str(told.get("message", f"{base} answered with status {answer.status_code}.")),
                advice=_advice(told, has_token=bool(token)),
            )
    return told


def own_token(federation: str) -> str:
    """The token of a federation on this machine that made its own; else empty."""
    url = httpx.URL(federation)
    if url.host not in ("127.0.0.1", "localhost", "::1"):
        return ""
    return read_token(url.port or 80)


def _advice(told: dict[str, Any], *, has_token: bool) -> str:
    if told.get("code") == "not_authorized" and not has_token:
        return f"Put an admin token into the variable {TOKEN_VARIABLE}, or name --token-file."
    return str(told.get("advice", ""))


def _token(arguments: argparse.Namespace) -> str:
    if arguments.token_file is None:
        given = os.environ.get(TOKEN_VARIABLE, "").strip()
        return given or own_token(arguments.federation)
    try:
        return str(arguments.token_file.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotUnderstood(f"The token file {arguments.token_file} cannot be read.") from error
