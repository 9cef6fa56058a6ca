"""The shape of `/api/repoproviders`, as BinderHub's own front end reads it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import jsonschema

_TEXT = {"type": "string", "minLength": 1}
_SCHEMA = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["displayName", "id", "spec", "detect", "repo", "ref"],
        "properties": {
            "displayName": _TEXT,
            "id": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
            "spec": {
                "type": "object",
                "required": ["validateRegex"],
                "properties": {"validateRegex": _TEXT},
            },
            "detect": {"type": "object", "properties": {"regex": _TEXT}},
            "repo": {
                "type": "object",
                "required": ["label", "placeholder"],
                "properties": {
                    "label": _TEXT,
                    "placeholder": _TEXT,
                    "urlEncode": {"type": "boolean"},
                },
            },
            "ref": {
                "type": "object",
                "required": ["enabled"],
                "properties": {"enabled": {"type": "boolean"}, "default": {"type": "string"}},
                "if": {"properties": {"enabled": {"const": True}}},
                "then": {"required": ["default"]},
            },
        },
    },
}


def check_displays(displays: Sequence[Mapping[str, Any]]) -> None:
    """AssertionError that says what BinderHub's front end could not use."""
    problems = [
        f"{error.json_path}: {error.message}"
        for error in jsonschema.Draft7Validator(_SCHEMA).iter_errors(displays)
    ]
    assert not problems, problems
    names = [display["id"] for display in displays]
    assert len(names) == len(set(names)), f"a provider is there twice: {names}"


def launch_path(display: Mapping[str, Any], pasted: str, ref: str = "") -> str | None:
    """The path after `/v2/` that BinderHub's front end makes of what somebody pasted; None while
    it waits for more. (`makeShareableUrl` in its LinkGenerator.)"""
    regex = display["detect"].get("regex")
    repository = pasted
    if regex:
        found = re.search(regex.replace("(?<repo>", "(?P<repo>"), pasted)
        if found is None or not found["repo"]:
            return None
        repository = found["repo"]
    if display["repo"].get("urlEncode"):
        repository = quote(repository, safe="!'()*~")
    ref = ref or (display["ref"]["default"] if display["ref"]["enabled"] else "")
    return f"{display['id']}/{repository}/{ref}"
