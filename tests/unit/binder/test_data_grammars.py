"""Specs of data repositories: the many ways in which people write them, and what is refused."""

from urllib.parse import quote

import httpx
import pytest

from binder_federation.binder.errors import InvalidSpec, SpecBanned
from binder_federation.binder.providers import Repositories, make_providers
from binder_federation.config.providers import ProviderSettings

REPOSITORIES = Repositories(make_providers(ProviderSettings(), httpx.AsyncClient()))
ID = "8f7c2f0341ef4180b0dbe97f59130756"
ACTIVITY = "0d15a1f1-62e4-4d50-b1e5-3f0f3f0f3f0f"
CKAN = "https://demo.ckan.org/dataset/rivers"


@pytest.mark.parametrize(
    ("path", "repository", "ref"),
    [
        ("zenodo/10.5281/zenodo.3242074", "10.5281/zenodo.3242074", "HEAD"),
        ("zenodo/10.5281%2Fzenodo.3242074", "10.5281/zenodo.3242074", "HEAD"),
        ("zenodo/10.5281/ZENODO.3242074/", "10.5281/zenodo.3242074", "HEAD"),
        ("zenodo/doi:10.5281/zenodo.3", "10.5281/zenodo.3", "HEAD"),
        ("zenodo/DOI%3A%2010.5281%2Fzenodo.3", "10.5281/zenodo.3", "HEAD"),
        ("zenodo/https%3A%2F%2Fdoi.org%2F10.5281%2Fzenodo.3", "10.5281/zenodo.3", "HEAD"),
        ("zenodo/https://doi.org/10.5281/zenodo.3", "10.5281/zenodo.3", "HEAD"),
        ("zenodo/https:/dx.doi.org/10.5281/zenodo.3", "10.5281/zenodo.3", "HEAD"),
        ("zenodo/10.22002/D1.1098", "10.22002/d1.1098", "HEAD"),
        ("figshare/10.6084/m9.figshare.9782777", "10.6084/m9.figshare.9782777", "HEAD"),
        ("figshare/10.6084/m9.figshare.9782777.v3", "10.6084/m9.figshare.9782777", "9782777.v3"),
        ("figshare/10.17028/rd.lboro.12.V3", "10.17028/rd.lboro.12", "12.v3"),
        ("figshare/doi.org/10.5522/04/123.v1", "10.5522/04/123", "123.v1"),
        ("dataverse/10.7910/DVN/TJCLKP", "10.7910/DVN/TJCLKP", "HEAD"),
        ("dataverse/10.7910%2FDVN%2FTJCLKP/", "10.7910/DVN/TJCLKP", "HEAD"),
        (
            "dataverse/https://doi.org/10.7910/DVN/6ZXAGT/3YRRYJ",
            "10.7910/DVN/6ZXAGT/3YRRYJ",
            "HEAD",
        ),
        (f"hydroshare/{ID}", ID, "HEAD"),
        (f"hydroshare/{ID.upper()}/", ID, "HEAD"),
        (f"hydroshare/https%3A%2F%2Fwww.hydroshare.org%2Fresource%2F{ID}%2F", ID, "HEAD"),
        (f"hydroshare/https://www.hydroshare.org/resource/{ID}", ID, "HEAD"),
        (f"hydroshare/10.4211/hs.{ID}", ID, "HEAD"),
        (f"ckan/{quote(CKAN, safe='')}", CKAN, "HEAD"),
        (f"ckan/{CKAN}/", CKAN, "HEAD"),
        ("ckan/https:/demo.ckan.org/dataset/rivers", CKAN, "HEAD"),
        (f"ckan/{quote('HTTPS://Demo.CKAN.org:443/dataset/rivers#x', safe='')}", CKAN, "HEAD"),
        (f"ckan/{quote(f'{CKAN}?activity_id={ACTIVITY}', safe='')}", CKAN, ACTIVITY),
        (f"ckan/{quote(f'{CKAN}/history/{ACTIVITY}', safe='')}", CKAN, ACTIVITY),
        (
            f"ckan/{quote(f'{CKAN}/history/{ACTIVITY}?activity_id={ID}', safe='')}",
            CKAN,
            ACTIVITY,
        ),
        (f"ckan/{quote(f'{CKAN}/resource/{ID}', safe='')}", CKAN, "HEAD"),
        (
            f"ckan/{quote('https://x.org/a/en/dataset/rivers', safe='')}",
            "https://x.org/a/en/dataset/rivers",
            "HEAD",
        ),
    ],
)
def test_understood(path: str, repository: str, ref: str) -> None:
    spec = REPOSITORIES.parse(path)
    assert (spec.repository, spec.ref) == (repository, ref)
    again = REPOSITORIES.parse(f"{spec.provider}/{REPOSITORIES.format(spec)}")
    assert again == spec


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("zenodo/3242074", "is not a DOI"),
        ("zenodo/11.5281/zenodo.3", "is not a DOI"),
        ("zenodo/10.5281/", "is not a DOI"),
        ("zenodo/10.5281/../zenodo.3", "is not a DOI"),
        ("zenodo/10.5281/a%20b", "is not a DOI"),
        ("zenodo/10.5281/zenodo.3%3Fx=1", "is not a DOI"),
        ("zenodo/10.5281/" + "a" * 300, "is not a DOI"),
        ("figshare/10.6084/m9.figshare.abc", "is not the DOI of a Figshare article"),
        ("figshare/10.6084/m9.figshare.7.v0", "is not the DOI of a Figshare article"),
        (f"hydroshare/{ID[:-1]}", "names no HydroShare resource"),
        (f"hydroshare/{ID}0", "names no HydroShare resource"),
        ("ckan/rivers", "is not the URL of a CKAN dataset"),
        ("ckan/https%3A%2F%2Fdemo.ckan.org%2Fgroup%2Frivers", "is not the URL of a CKAN dataset"),
        ("ckan/ssh%3A%2F%2Fdemo.ckan.org%2Fdataset%2Frivers", "is not the URL of a CKAN dataset"),
        ("ckan/https%3A%2F%2Fa%3Ab%40demo.ckan.org%2Fdataset%2Frivers", "carries a password"),
        (f"ckan/{quote(f'{CKAN}?activity_id=a/b', safe='')}", "is not the URL of a CKAN dataset"),
    ],
)
def test_refused_in_words(path: str, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        REPOSITORIES.parse(path)


def test_a_ckan_site_in_our_network_is_banned() -> None:
    with pytest.raises(SpecBanned, match="not on the public internet"):
        REPOSITORIES.parse("ckan/http%3A%2F%2F169.254.169.254%2Fdataset%2Frivers")


@pytest.mark.parametrize(
    ("path", "resolved_ref", "pinned", "ref_url"),
    [
        (
            "figshare/10.6084/m9.figshare.7",
            "7.v2",
            "10.6084/m9.figshare.7.v2",
            "https://doi.org/10.6084/m9.figshare.7.v2",
        ),
        (
            "zenodo/10.5281/zenodo.100",
            "103",
            "10.5281/zenodo.100",  # the resolver names the version's DOI
            "https://doi.org/10.5281/zenodo.103",
        ),
        (
            "dataverse/10.7910/DVN/X",
            "9.v2.1",
            "10.7910/DVN/X",
            "https://doi.org/10.7910/DVN/X",
        ),
        (f"hydroshare/{ID}", f"{ID}.v17", ID, f"https://www.hydroshare.org/resource/{ID}"),
        (f"ckan/{CKAN}", "rivers.v17", quote(CKAN, safe=""), CKAN),
        (
            f"ckan/{CKAN}",
            ACTIVITY,
            quote(f"{CKAN}?activity_id={ACTIVITY}", safe=""),
            f"{CKAN}?activity_id={ACTIVITY}",
        ),
    ],
)
def test_what_a_resolved_one_is_called(
    path: str, resolved_ref: str, pinned: str, ref_url: str
) -> None:
    spec = REPOSITORIES.parse(path)
    assert REPOSITORIES.format(spec.at(resolved_ref)) == pinned
    assert REPOSITORIES.ref_url(spec, resolved_ref) == ref_url
