"""Pages from templates: what is known goes in, HTML comes out.

Nothing is resolved or asked here, so that a visitor sees the loading page at once;
the scripts in `static/` then open the event stream. What a script needs stands in a
`<script type="application/json">`: there is no inline script, and the
Content-Security-Policy (`policy.py`) forbids one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from jinja2 import Environment

from binder_federation.config.pages import PageSettings
from binder_federation.federation.pages.assets import Assets, load_assets
from binder_federation.federation.pages.environment import make_environment
from binder_federation.federation.status import words
from binder_federation.federation.status.report import StatusReport
from binder_federation.runtime.errors import ServiceError

STATES = ("building", "launching", "ready", "failed")
"""States that the tab's icon shows, besides the plain one."""


@dataclass(frozen=True, slots=True)
class LaunchDescription:
    """What a launch path says, read from the path alone."""

    provider_label: str
    """The provider's name for people: `GitHub`."""
    repository: str
    """The repository for people: `owner/name`, or a URL."""
    ref: str
    """The ref for people; "" where the provider has none."""
    repository_url: str
    """Where its author and issues are, or "" when that is not a web page."""


class Describe(Protocol):
    """Reads a launch path."""

    def __call__(self, raw_path: str, /) -> LaunchDescription:
        """Describe `<provider>/<spec>`, still percent-encoded; raises a `ServiceError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Everything that the pages are made from.

    `providers` are their display data in the shape of `/api/repoproviders`;
    `public_url` is what visitors' browsers use, by default the request's own;
    `example` is a launch path (`v2/…`) that the home page offers.
    """

    describe: Describe
    providers: Sequence[Mapping[str, Any]]
    version: str
    settings: PageSettings = field(default_factory=PageSettings)
    public_url: str | None = None
    example: str | None = None
    patience_seconds: float = 10.0
    """How long the loading page waits for a stream's first event before it asks anew."""
    redirects: bool = False
    """Whether visitors' browsers read the members' own streams (`launch.mode: redirect`)."""
    assets: Assets = field(default_factory=load_assets)
    environment: Environment = field(default_factory=make_environment)

    @property
    def base_path(self) -> str:
        """The path under which a proxy serves us, without a trailing `/`: mostly ""."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    def home(self, request_url: str) -> str:
        """The home page. `request_url` is the scheme and host that the visitor used."""
        return self._render(
            "home.html",
            site_url=self.public_url or request_url,
            example=self.example.lstrip("/") if self.example else None,
            config={
                "base": self.base_path,
                "publicUrl": self.public_url,
                "providers": [dict(provider) for provider in self.providers],
            },
        )

    def loading(
        self, raw_path: str, request_url: str, *, build_token: str = "", preview: str = ""
    ) -> str:
        """The page of the launch `raw_path`. Raises a `ServiceError` for a malformed one.

        `build_token` goes along with the launch; `preview` is the file to show meanwhile.
        """
        launch = self.describe(raw_path)
        return self.show_launch(
            raw_path, launch, request_url, build_token=build_token, preview=preview
        )

    def show_launch(
        self,
        raw_path: str,
        launch: LaunchDescription,
        request_url: str,
        *,
        build_token: str = "",
        preview: str = "",
    ) -> str:
        """The loading page of a launch that is described already."""
        return self._render(
            "loading.html",
            site_url=self.public_url or request_url,
            raw_path=raw_path,
            launch=launch,
            name=_short_name(launch.repository),
            preview=preview,
            config={
                "buildPath": f"{self.base_path}/build/{raw_path}",
                "buildToken": build_token,
                "previewPath": f"{self.base_path}/preview/{raw_path}" if preview else "",
                "previewFile": preview,
                "source": _host(launch.repository) or launch.provider_label,
                "repository": _short_name(launch.repository),
                "ref": launch.ref,
                "repositoryUrl": _web_url(launch.repository_url),
                "patienceSeconds": self.patience_seconds,
                "redirects": self.redirects,
                "icons": {state: self._link(f"/favicon-{state}.svg") for state in STATES},
            },
        )

    def error(self, error: ServiceError) -> str:
        """A page that says what `error` says."""
        return self._render("error.html", error=error)

    def about(self) -> str:
        """What this is."""
        return self._render("about.html")

    def status(self, report: StatusReport) -> str:
        """How the members are, and were."""
        return self._render("status.html", report=report, words=words)

    def _render(self, template: str, **values: Any) -> str:
        ours = {
            "site": self.settings,
            "version": self.version,
            "link": self._link,
            "asset": lambda name: self._link(self.assets.path(name)),
            "web_url": _web_url,
        }
        names = {**self.settings.variables, **values, **ours}
        return self.environment.get_template(template).render(names)

    def _link(self, path: str) -> str:
        return f"{self.base_path}{path}"


def _web_url(url: str) -> str:
    """`url` if it is a web page's, else "": no other scheme becomes a link."""
    return url if url.startswith(("https://", "http://")) else ""


def _short_name(repository: str) -> str:
    """`owner/name` as it is; of a URL or an scp address, the last part."""
    if "://" not in repository and "@" not in repository:
        return repository
    last = repository.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2]
    return last or repository


def _host(repository: str) -> str:
    """The host in a URL or an scp address, or ""."""
    if "://" in repository:
        return urlsplit(repository).hostname or ""
    user, _, rest = repository.partition("@")
    return rest.partition(":")[0] if user else ""
