"""A page of settings: each part with its fields, types, defaults and what they mean.

The meanings are the string literals below the fields, where the code has them.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings


def describe_settings(settings: type[BaseSettings], *, title: str, file: str) -> str:
    """The page, as Markdown."""
    prefix = str(settings.model_config.get("env_prefix", ""))
    how = (
        f"As YAML (`--config {file}`), or as variables of the environment, which come before"
        f" the file: the name in capitals after `{prefix}`, with two underscores between a part"
        f" and its field, such as `{prefix}PROVIDERS__TIMEOUT_SECONDS=5`. Lists and tables are"
        " JSON there. A misspelt name is an error. Secrets are best given as variables.\n"
    )
    first = [f"# {title}\n", how]
    return "\n".join([*first, *_sections(settings, path="")]) + "\n"


def _sections(model: type[BaseModel], *, path: str) -> Iterator[str]:
    """The fields of `model`, then each of its parts."""
    if path:
        yield f"## `{path}`\n"
        yield f"{_first_paragraph(model)}\n"
    else:
        yield "## At the top\n"
    meanings = _meanings(model)
    yield "| name | type | default | |\n|---|---|---|---|"
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        shown = field.alias or name
        yield (
            f"| `{shown}` | {_cell(_type(field.annotation))} | {_cell(_default(field))}"
            f" | {_cell(meanings.get(name, ''))} |"
        )
        for each, mark in _models(field.annotation):
            inner.append((f"{path}.{shown}{mark}".lstrip("."), each))
    yield ""
    for where, each in inner:
        yield from _sections(each, path=where)


def _models(annotation: Any, mark: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, mark
        return
    origin = get_origin(annotation)
    if origin in (list, tuple, set, frozenset):
        mark = "[]"
    elif origin is dict:
        mark = ".<name>"
    for each in get_args(annotation):
        if each is not Ellipsis and not isinstance(each, str):
            yield from _models(each, mark)


def _type(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin in (Union, UnionType):
        parts = [_type(each) for each in inner if each is not type(None)]
        return " or ".join(dict.fromkeys(parts))
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in inner)
    if origin in (list, tuple, set, frozenset):
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"table: {_type(inner[0])} → {_type(inner[1])}"
    return _plain_type(annotation)


def _plain_type(annotation: Any) -> str:
    if not isinstance(annotation, type):
        return "value"
    if issubclass(annotation, StrEnum):
        return " or ".join(f"`{each.value}`" for each in annotation)
    if issubclass(annotation, BaseModel):
        return "part"
    if issubclass(annotation, SecretStr):
        return "secret"
    names = {str: "text", bool: "yes or no", int: "integer", float: "number", Path: "path"}
    return names.get(annotation, "date and time" if annotation.__name__ == "datetime" else "value")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value in (None, PydanticUndefined, "", (), [], {}, frozenset()):
        return "–"
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple | list | frozenset):
        return ", ".join(f"`{each}`" for each in value) if len(value) < 6 else "…"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Field → the string literal below it, in the class and those that it comes from."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not cls.__module__.startswith("binder_federation"):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(tree, ast.ClassDef)
        for field, after in zip(tree.body, tree.body[1:], strict=False):
            is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if is_field and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                assert isinstance(field, ast.AnnAssign)
                assert isinstance(field.target, ast.Name)
                found[field.target.id] = str(after.value.value)
    return found


def _first_paragraph(model: type[BaseModel]) -> str:
    text = inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0]
    return " ".join(text.split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
