"""The badges: small pictures for a README that say "launch | binder".

Drawn here, in the project's own shapes and colours. `textLength` fixes the width of
the words, because every reader's machine has another font.
"""

from dataclasses import dataclass
from html import escape

HEIGHT = 20
LABEL_COLOR = "#26324a"
VALUE_COLOR = "#0b6b69"

# Two linked rings, 14 × 14, the second one passing over and then under the first.
_RINGS = (
    '<g fill="none" stroke-width="1.9">'
    '<circle cx="5" cy="7" r="3.7" stroke="#7fded2"/>'
    '<circle cx="9.6" cy="7" r="3.7" stroke="#aab8ff"/>'
    '<path d="M5 3.3A3.7 3.7 0 0 1 8.48 5.73" stroke="#7fded2"/>'
    "</g>"
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a badge and its width in pixels."""

    text: str
    width: int


LAUNCH = Word("launch", 37)
BINDER = Word("binder", 37)


def draw_badge(*, label: Word = LAUNCH, value: Word = BINDER, has_logo: bool = False) -> str:
    """A badge as SVG: `label` on the left, `value` on the right, the rings before it."""
    logo_width = 19 if has_logo else 0
    left = label.width + 12
    right = value.width + 12 + logo_width
    title = f"{escape(label.text)} {escape(value.text)}"
    logo = f'<g transform="translate({left + 5} 3)">{_RINGS}</g>' if has_logo else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" '
        f'role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{left + right}" height="{HEIGHT}" rx="5"/></clipPath>'
        f'<g clip-path="url(#r)">'
        f'<path d="M0 0h{left + 3}l-3 {HEIGHT}H0z" fill="{LABEL_COLOR}"/>'
        f'<path d="M{left + 3} 0h{right}v{HEIGHT}H{left}z" fill="{VALUE_COLOR}"/>'
        f"</g>{logo}"
        f'<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">'
        f"{_draw_word(label, 7)}{_draw_word(value, left + 6 + logo_width)}</g></svg>"
    )


def _draw_word(word: Word, x: int) -> str:
    return f'<text x="{x}" y="14" textLength="{word.width}">{escape(word.text)}</text>'
