"""Reads a container's log as it is written, a line at a time.

Lines are cut where they are longer than anybody reads: a stranger's build writes what it
likes, and memory has a bound.
"""

import codecs
import re
from collections.abc import AsyncGenerator

import aiohttp

from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterUnavailable
from binder_federation.cluster_agent.stacks.kubernetes.requests import Request, Requests

LONGEST_LINE = 16_384
SILENCE_SECONDS = 300.0
"""A connection without a byte for so long may be dead: it is broken off, and made again."""
_ENDS = re.compile(r"\r\n|\n")


class LineSplitter:
    """Bytes in, whole lines out."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that `chunk` completes, without their ends."""
        *lines, self._rest = _ENDS.split(self._rest + self._decoder.decode(chunk))
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = ""
        return [line[:LONGEST_LINE] for line in lines]

    def finish(self) -> list[str]:
        """What is left at the end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        return [rest] if rest else []


async def read_log(requests: Requests, request: Request) -> AsyncGenerator[str, None]:
    """The lines of the log; see `KubernetesApi.pod_log`."""
    response = await requests.open(request, silence_seconds=SILENCE_SECONDS)
    if response is None:
        return
    splitter = LineSplitter()
    try:
        while chunk := await _read(response):
            for line in splitter.feed(chunk):
                yield line
        for line in splitter.finish():
            yield line
    finally:
        response.close()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.content.readany()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ClusterUnavailable("The stream of the log broke off.") from error
