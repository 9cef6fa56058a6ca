"""The page around a preview, and the policy under which it is shown.

Its style stands in it and is allowed by its hash: `'self'` means nothing to a document that
its sandbox keeps from having an origin.
"""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLE_FILE = Path(__file__).parent / "preview.css"


@dataclass(frozen=True, slots=True)
class PreviewDocument:
    """Wraps previews; `policy` is the Content-Security-Policy to serve them with."""

    style: str
    policy: str

    def wrap(self, path: str, html: bytes) -> bytes:
        """The whole document for the harmless `html` of the file `path`."""
        head = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>Preview of {escape(path)}</title><style>{self.style}</style></head><body>"
        )
        return head.encode() + b"<main>" + html + b"</main></body></html>"


def make_document(style: str | None = None) -> PreviewDocument:
    """The page with our style, or with `style`."""
    text = STYLE_FILE.read_text(encoding="utf-8") if style is None else style
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return PreviewDocument(
        style=text,
        policy="; ".join(
            (
                "sandbox allow-popups allow-popups-to-escape-sandbox",
                "default-src 'none'",
                "img-src data:",
                f"style-src 'sha256-{digest}'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'self'",
            )
        ),
    )
