"""A launch path in words, for the pages."""

from binder_federation.binder.providers import Repositories
from binder_federation.federation.pages.render import Describe, LaunchDescription


def make_describe(repositories: Repositories) -> Describe:
    """Reads launch paths with these providers; nothing is asked over the network."""

    def describe(raw_path: str, /) -> LaunchDescription:
        spec = repositories.parse(raw_path)
        provider = repositories.providers[spec.provider]
        has_refs = provider.display["ref"].get("enabled", True)
        return LaunchDescription(
            provider_label=str(provider.display["displayName"]),
            repository=spec.repository,
            ref="" if spec.ref == "HEAD" and not has_refs else spec.ref,
            repository_url=provider.repository_url(spec),
        )

    return describe
