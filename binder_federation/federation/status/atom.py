"""Incidents and maintenance as a feed: Atom 1.0 (https://www.rfc-editor.org/rfc/rfc4287).

An entry's id is a `tag:` URI (https://www.rfc-editor.org/rfc/rfc4151) that stays when the
incident ends; its `updated` then is the end, so readers show it again.
"""

from urllib.parse import quote, urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from binder_federation.federation.history.episodes import Episode
from binder_federation.federation.status.report import StatusReport
from binder_federation.federation.status.words import (
    clock_time,
    episode_details,
    episode_title,
    iso,
)

ATOM = "http://www.w3.org/2005/Atom"
MOST_ENTRIES = 100
FEED_DATE = "2026-01-01"


def make_feed(report: StatusReport, *, site_name: str, site_url: str) -> bytes:
    """The feed. `site_url` is where visitors find us, without a trailing `/`."""
    host = urlsplit(site_url).hostname or "localhost"
    feed = Element("feed", xmlns=ATOM)
    _text(feed, "id", f"tag:{host},{FEED_DATE}:status")
    _text(feed, "title", f"{site_name}: status")
    _text(feed, "subtitle", "Incidents and maintenance of the members")
    entries = sorted(report.episodes, key=lambda each: -each.updated_at)[:MOST_ENTRIES]
    updated = entries[0].updated_at if entries else 0.0
    _text(feed, "updated", iso(updated))
    SubElement(
        feed, "link", rel="self", type="application/atom+xml", href=f"{site_url}/status.atom"
    )
    SubElement(feed, "link", rel="alternate", type="text/html", href=f"{site_url}/status")
    _text(SubElement(feed, "author"), "name", site_name)
    for episode in entries:
        feed.append(_entry(episode, host, site_url, now=report.at))
    body: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return body


def _entry(episode: Episode, host: str, site_url: str, *, now: float) -> Element:
    entry = Element("entry")
    day = iso(episode.began_at)[:10]
    _text(entry, "id", f"tag:{host},{day}:status/{quote(episode.id)}")
    _text(entry, "title", episode_title(episode, now=now))
    _text(entry, "published", iso(episode.began_at))
    _text(entry, "updated", iso(episode.updated_at))
    anchor = quote(episode.id)
    SubElement(entry, "link", rel="alternate", type="text/html", href=f"{site_url}/status#{anchor}")
    SubElement(entry, "category", term=episode.kind.value)
    _text(entry, "summary", _summary(episode))
    return entry


def _summary(episode: Episode) -> str:
    """Without what changes by the minute: an entry that is not updated stays the same."""
    now = episode.updated_at
    began = f"It began on {clock_time(episode.began_at, now=0)}"
    ended = (
        "" if episode.ended_at is None else f" and ended on {clock_time(episode.ended_at, now=0)}"
    )
    return f"{episode_details(episode, now=now)} {began}{ended}.".strip()


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
