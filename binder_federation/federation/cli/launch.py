"""`binderfed launch`: a launch on the terminal, with a progress bar."""

import argparse
import json
import sys
import webbrowser
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urljoin

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from binder_federation.binder.events import Event, Phase, StreamParser, event_from_json
from binder_federation.federation.cli.client import (
    FederationUnreachable,
    add_federation_option,
    read_answer,
    readable_errors,
)

EXAMPLES = """\
examples:
  binderfed launch gh/binder-examples/requirements/HEAD
  binderfed launch gh/owner/repository/branch --path notebooks/index.ipynb --open
  binderfed launch git/https%3A%2F%2Fexample.org%2Frepository.git/v1.2

The URL on the last line is the only thing on standard output, so a script can use it:
  url=$(binderfed launch gh/owner/repository/HEAD)
"""
MOST_BYTES = 1 << 20
"""Of one event; the federation's own are much smaller."""
SILENCE_SECONDS = 90.0
_DONE_AT = {
    Phase.WAITING: 2,
    Phase.FETCHING: 10,
    Phase.BUILDING: 25,
    Phase.PUSHING: 65,
    Phase.BUILT: 75,
    Phase.LAUNCHING: 85,
    Phase.READY: 100,
}


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "launch",
        help="launch a repository and print its URL",
        description="Launches <provider>/<spec> and prints the URL of the running JupyterLab.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "spec", help="provider and spec, such as gh/owner/repository/HEAD; or a link, or a git URL"
    )
    add_federation_option(parser)
    parser.add_argument("--path", metavar="FILE", help="the file to open, in JupyterLab")
    parser.add_argument("--avoid", metavar="MEMBER", help="members not to use, by comma")
    parser.add_argument("--open", action="store_true", help="open the URL in a browser")
    parser.add_argument("--log", action="store_true", help="show the build's log as it comes")
    parser.add_argument("--json", action="store_true", help="print the events as JSON lines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Launch; 0 when ready, 1 when it failed."""
    base = arguments.federation.rstrip("/")
    query = f"?{urlencode({'avoid': arguments.avoid})}" if arguments.avoid else ""
    url = f"{base}/build/{launch_path(arguments.spec)}{query}"
    with readable_errors(base):
        if arguments.json:
            return _print_json(url)
        last = _follow(url, show_log=arguments.log)
    if last.phase is not Phase.READY:
        _explain(last)
        return 1
    address = server_url(last, path=arguments.path)
    print(address)
    if arguments.open and not webbrowser.open(address):
        print("No browser could be opened; use the URL above.", file=sys.stderr)
    return 0


def launch_path(text: str) -> str:
    """`<provider>/<spec>` in what somebody typed: that, a launch link, or a git URL."""
    text = text.strip()
    if "/v2/" in text:
        return text.partition("/v2/")[2].partition("?")[0]
    if "://" in text:
        return f"git/{quote(text, safe='')}/HEAD"
    return quote(text.strip("/"), safe="/%:@!$&()*+,;=~")


def server_url(ready: Event, *, path: str | None) -> str:
    """The URL to open: the server's, at `path` in JupyterLab if given, with its token."""
    base = str(ready.fields.get("url", ""))
    address = urljoin(base, f"lab/tree/{quote(path.lstrip('/'))}") if path else base
    token = ready.fields.get("token")
    return f"{address}?{urlencode({'token': token})}" if token else address


def _print_json(url: str) -> int:
    last = None
    for last in _events(url):
        print(last.to_json(), flush=True)
    return 0 if last is not None and last.phase is Phase.READY else 1


def _follow(url: str, *, show_log: bool) -> Event:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("waiting", total=100)
        last = Event(Phase.WAITING)
        for last in _events(url):
            member = last.fields.get("member")
            where = f" at {member}" if member else ""
            done = _DONE_AT.get(last.phase)
            progress.update(task, description=f"{last.phase.value}{where}")
            if done is not None:
                progress.update(task, completed=done)
            if last.message.strip() and (show_log or _is_news(last)):
                console.print(last.message.rstrip(), markup=False, highlight=False, soft_wrap=True)
    return last


def _is_news(event: Event) -> bool:
    """Worth a line for everybody: not a log line, not the end (told separately)."""
    return bool(event.fields.get("failover")) or event.phase is Phase.WAITING


def _events(url: str) -> Iterator[Event]:
    timeout = httpx.Timeout(10, read=SILENCE_SECONDS)
    headers = {"Accept": "text/event-stream"}
    parser = StreamParser(most_bytes=MOST_BYTES)
    with httpx.stream(
        "GET", url, headers=headers, timeout=timeout, follow_redirects=True
    ) as answer:
        if answer.headers.get("content-type", "").split(";")[0] != "text/event-stream":
            answer.read()
            raise _not_a_stream(url, answer)
        for chunk in answer.iter_bytes():
            for message in parser.feed(chunk):
                event = event_from_json(message.data)
                yield event
                if event.phase.is_final:
                    return
    raise FederationUnreachable("The federation closed the stream before the launch had ended.")


def _not_a_stream(url: str, answer: httpx.Response) -> FederationUnreachable:
    try:
        message = str(read_answer(answer)["message"])
    except (json.JSONDecodeError, KeyError, TypeError):
        message = f"{url} answered with status {answer.status_code}, and no event stream."
    return FederationUnreachable(message)


def _explain(event: Event) -> None:
    print(f"binderfed: {event.message.strip() or 'The launch failed.'}", file=sys.stderr)
    if advice := event.fields.get("advice"):
        print(f"  {advice}", file=sys.stderr)
