"""Text that strangers wrote: decoded once, and shown back without harm."""

from urllib.parse import unquote

from binder_federation.binder.errors import InvalidSpec


def decode_once(raw: str) -> str:
    """`raw` with its percent-encoding undone exactly once. `InvalidSpec` if it is not UTF-8."""
    try:
        text = unquote(raw, errors="strict")
        text.encode()  # a lone surrogate stands for a byte that was never valid
    except UnicodeError as error:
        raise InvalidSpec(
            "The link holds bytes that are not text.",
            advice="Percent-encode the link as UTF-8.",
        ) from error
    return text


def shown(text: str, most: int = 80) -> str:
    """`text` for a sentence: short, and without what cannot be printed."""
    printable = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return printable if len(printable) <= most else f"{printable[: most - 1]}…"
