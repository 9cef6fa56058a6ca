"""Settings and names of the keys."""

import pytest
from pydantic import ValidationError

from binder_federation.config.federation import RedisSettings
from binder_federation.federation.shared.keys import Keys


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"url": "http://somewhere"}, "begins with redis://"),
        ({"url": "redis://here", "tls_ca_file": "ca.pem"}, "only for a URL"),
        ({"url": "redis://here", "prefix": "all*"}, "prefix"),
        ({"url": "redis://here", "deadline_seconds": 0}, "deadline_seconds"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        RedisSettings.model_validate(changes)


def test_the_password_in_a_url_is_not_shown() -> None:
    settings = RedisSettings.model_validate({"url": "redis://:s3cret@here"})
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in settings.model_dump_json()


def test_names_are_read_back() -> None:
    keys = Keys("here")
    assert keys.bucket_of(keys.image_bucket(0x2A0FF).encode()) == 0x2A0FF
    assert keys.bucket_of(keys.built_bucket(0).encode()) == 0
    assert keys.image_key_of_lease(keys.lease("ab" * 16).encode()) == "ab" * 16
    assert keys.member_of(keys.member("gke-europe").encode()) == "gke-europe"


def test_deployments_and_layouts_have_other_names() -> None:
    names = {Keys(prefix).facts for prefix in ("here", "there")}
    assert len(names) == 2
    assert all("1:" in name for name in names), "the layout's version is part of every name"
