"""What a hostile notebook tries, and a notebook that tries all of it."""

from typing import Any

from tests.support.notebook_files import cell, displayed, notebook

_CONFUSED = (
    "<math><mtext><table><mglyph><style><!--</style>"
    '<img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">'
)

MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    '<a href="javascript:alert(1)">a</a>',
    '<a href=" &#106;avascript:alert(1)">a</a>',
    '<a href="data:text/html,<script>alert(1)</script>">a</a>',
    '<a href="vbscript:alert(1)">a</a>',
    '<meta http-equiv="refresh" content="0;url=https://evil.test/">',
    '<base href="https://evil.test/">',
    '<link rel="stylesheet" href="https://evil.test/a.css">',
    '<iframe src="https://evil.test/"></iframe>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<object data="data:text/html,<script>alert(1)</script>"></object>',
    '<embed src="javascript:alert(1)">',
    '<form action="https://evil.test/"><input name=a><button>go</button></form>',
    '<p style="background:url(https://evil.test/a)">p</p>',
    "<style>@import url(https://evil.test/a.css)</style>",
    '<img src="https://evil.test/track.png">',
    '<img src="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+">',
    '<img srcset="https://evil.test/a.png 2x">',
    _CONFUSED,
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<template><script>alert(1)</script></template>",
    '<div id="main" name="body" onclick="alert(1)">d</div>',
    '<video src="https://evil.test/v.mp4" autoplay></video>',
    "<x onclick=alert(1)>x</x>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'></textarea>",
)

MARKDOWN = (
    "[a](javascript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "![a](javascript:alert(1))",
    "![a](https://evil.test/track.png)",
    "<javascript:alert(1)>",
    "```html\n<script>alert(1)</script>\n```",
    "```mermaid\n<img src=x onerror=alert(1)>\n```",
    "$<img src=x onerror=alert(1)>$",
    "# <script>alert(1)</script>",
    '[a]: javascript:alert(1) "x"\n[a]',
)

OUTPUTS: tuple[dict[str, Any], ...] = (
    *({"text/html": markup} for markup in MARKUP),
    *({"text/markdown": markdown} for markdown in MARKDOWN),
    {"application/javascript": "alert(1)"},
    {"image/svg+xml": "<svg onload=alert(1)></svg>"},
    {"image/png": '"><script>alert(1)</script>'},
    {"application/vnd.jupyter.widget-view+json": {"model_id": "<script>"}},
    {"application/x-evil": "<script>alert(1)</script>", "text/plain": "<script>alert(1)</script>"},
    {"text/latex": "$<script>alert(1)</script>$"},
)


def hostile_notebook() -> bytes:
    """Everything at once."""
    stream = {
        "output_type": "stream",
        "name": "stdout",
        "text": "<script>alert(1)</script>\x1b[31m<",
    }
    error = {
        "output_type": "error",
        "ename": "<script>",
        "evalue": "x",
        "traceback": ["<img src=x onerror=alert(1)>"],
    }
    return notebook(
        *(cell("markdown", text) for text in (*MARKUP, *MARKDOWN)),
        *(cell("raw", text) for text in MARKUP),
        *(cell("code", text) for text in MARKUP),
        cell("code", "x", outputs=[displayed(data) for data in OUTPUTS] + [stream, error]),
        cell(
            "markdown",
            "![a](attachment:a.svg)",
            attachments={"a.svg": {"image/svg+xml": "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+"}},
        ),
        language_info={"name": "python"},
    )
