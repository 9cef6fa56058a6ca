"""Fuzzing of a running service with schemathesis, from its own description.

A spec in a path holds slashes, which OpenAPI cannot say: `paths_in_parts` adds paths in which
the parts stand for themselves, so that requests get further than the grammar. Headers that no
description names are sent as well.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

SEED = 20_190_218
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
"""All but those that hold a grammar stricter than the description for a mistake."""
ALLOWED_STATUSES = """\
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 502, 503]
"""
"""Where they are described: nobody to go to is no fault of ours."""
HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Last-Event-ID": {},
    "X-Forwarded-For": {"examples": ["192.0.2.7, 10.0.0.1"]},
    "X-Forwarded-Host": {},
    "Forwarded": {"examples": ['for="[2001:db8::1]:1";host=x']},
    "Origin": {"examples": ["https://site.example"]},
    "Sec-Fetch-Mode": {"examples": ["cors"]},
    "X-Request-ID": {},
}
READERS_OF_HEADERS = frozenset({"launchInParts", "checkLaunchInParts", "loadingPageInParts"})
"""The operations that look at them; everywhere they would be very many combinations."""
METHODS = frozenset({"get", "head", "options", "post", "put", "delete"})
REPOSITORY = "{provider}/{spec}"
NOTHING: Mapping[str, Any] = {}


def fuzz_description(
    description: Mapping[str, Any],
    *,
    resolved_ref: str,
    replace: Mapping[str, Any] = NOTHING,
) -> dict[str, Any]:
    """The description with paths in parts, and headers.

    `replace` puts other schemas in the places that dotted paths name: values that the service
    knows, so that requests get beyond its first check.
    """
    wanted = deepcopy(dict(description))
    for place, schema in replace.items():
        *way, last = place.split(".")
        node = wanted
        for step in way:
            node = node[step]
        node[last] = schema
    wanted["paths"] |= paths_in_parts(wanted["paths"], resolved_ref)
    for operations in wanted["paths"].values():
        for method, operation in operations.items():
            if method in METHODS and operation["operationId"] in READERS_OF_HEADERS:
                _add_headers(operation)
    return wanted


def paths_in_parts(paths: Mapping[str, Any], resolved_ref: str) -> dict[str, Any]:
    """`…/gh/{owner}/{repository}/{ref}` for each path with a spec."""
    added = {}
    for path, operations in paths.items():
        if REPOSITORY not in path:
            continue
        parts = {}
        for method, operation in operations.items():
            copied = deepcopy(operation)
            copied["operationId"] = f"{operation['operationId']}InParts"
            copied["parameters"] = [
                *(each for each in operation["parameters"] if "$ref" not in each),
                _part("owner", "owner"),
                _part("repository", "repository"),
                _part("ref", resolved_ref),
            ]
            parts[method] = copied
        added[path.replace(REPOSITORY, "gh/{owner}/{repository}/{ref}")] = parts
    return added


def _part(name: str, known: str) -> dict[str, Any]:
    schema = {"anyOf": [{"const": known}, {"type": "string"}]}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _add_headers(operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    known = {each.get("name") for each in parameters}
    for name, more in HEADERS.items():
        if name not in known:
            parameters.append({"name": name, "in": "header", "schema": {"type": "string"}, **more})
    cookie = {"name": "binder-member", "in": "cookie", "schema": {"type": "string"}}
    parameters.append(cookie)


async def fuzz(
    url: str,
    description: Mapping[str, Any],
    *,
    folder: Path,
    most_examples: int,
    token: str = "",
    further: Sequence[str] = (),
) -> str:
    """Send what the description allows, and worse, to `url`; the report when something is found.

    Empty when all answers were as they should be. Each operation gets `most_examples` requests,
    always the same ones, besides those for each parameter's edges.
    """
    file, settings = folder / "openapi.json", folder / "schemathesis.toml"
    file.write_text(json.dumps(description), encoding="utf-8")
    settings.write_text(ALLOWED_STATUSES, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings)),
        *("run", str(file), "--url", url),
        *(["--header", f"Authorization: Bearer {token}"] if token else []),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", str(most_examples), "--seed", str(SEED), "--generation-deterministic"),
        *("--request-timeout", "60", "--warnings", "off"),
        *("--continue-on-failure", "--suppress-health-check", "all", "--no-color", *further),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return "" if process.returncode == 0 else output.decode(errors="replace")[-20_000:]
