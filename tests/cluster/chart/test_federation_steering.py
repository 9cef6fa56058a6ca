"""What operators change live outlives pods and releases; so does the key of who joined."""

import json

import pytest

from tests.support.helm import ABSENT, Json, Rendered
from tests.support.helm_values import container_of, render_federation, secret_of

ALONE = {"redis": ABSENT, "replicas": 1, "secrets.redisPassword": ""}
KEPT = {"helm.sh/resource-policy": "keep"}
STATE = "/var/lib/binder"


def pod_of(rendered: Rendered, kind: str) -> Json:
    pod: Json = rendered.one(kind)["spec"]["template"]["spec"]
    return pod


def claims(rendered: Rendered, kind: str) -> list[str]:
    """The names of the claims that pods of this kind mount."""
    volumes = pod_of(rendered, kind)["volumes"]
    return [
        each["persistentVolumeClaim"]["claimName"]
        for each in volumes
        if "persistentVolumeClaim" in each
    ]


def test_one_replica_without_redis_keeps_its_steering_on_a_disk() -> None:
    rendered = render_federation({**ALONE, "persistence": {"enabled": True, "size": "3Gi"}})

    claim = rendered.one("PersistentVolumeClaim")
    assert claims(rendered, "Deployment") == [claim["metadata"]["name"]]
    assert claim["metadata"]["annotations"] == KEPT
    assert claim["spec"]["resources"]["requests"]["storage"] == "3Gi"
    mounts = {each["mountPath"] for each in container_of(rendered)["volumeMounts"]}
    file = rendered.federation_yaml()["steering"]["file"]
    assert STATE in mounts
    assert file.startswith(f"{STATE}/")
    strategy = rendered.one("Deployment")["spec"]["strategy"]
    assert strategy == {"type": "Recreate"}, "two replicas would write one file"


def test_the_bundled_redis_keeps_it_on_a_disk() -> None:
    rendered = render_federation({"redis.bundled.persistence.enabled": True})

    (container,) = pod_of(rendered, "StatefulSet")["containers"]
    assert container["args"][container["args"].index("--appendonly") + 1] == "yes"
    claim = rendered.one("PersistentVolumeClaim")
    assert claims(rendered, "StatefulSet") == [claim["metadata"]["name"]]
    assert claim["metadata"]["annotations"] == KEPT
    assert claims(rendered, "Deployment") == []
    assert "steering" not in rendered.federation_yaml()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("Deployment", {**ALONE, "persistence": {"enabled": True, "existingClaim": "ours"}}),
     ("StatefulSet",
      {"redis.bundled.persistence": {"enabled": True, "existingClaim": "ours"}})],
)  # fmt: skip
def test_a_disk_that_is_there_is_used(kind: str, changes: Json) -> None:
    rendered = render_federation(changes)

    assert rendered.all("PersistentVolumeClaim") == []
    assert claims(rendered, kind) == ["ours"]


def joining_reference(rendered: Rendered) -> Json:
    """Where the container has the key from."""
    (variable,) = [
        each for each in container_of(rendered)["env"] if each["name"] == "BINDERFED_JOINING__KEY"
    ]
    reference: Json = variable["valueFrom"]["secretKeyRef"]
    return reference


def test_a_joining_key_is_made_and_kept() -> None:
    rendered = render_federation({})

    secret = rendered.one("Secret", "joining")
    assert secret["metadata"]["annotations"] == KEPT, "members who joined would be shut out"
    assert len(secret_of(rendered)["joining-key"]) >= 32
    reference = joining_reference(rendered)
    assert (reference["name"], reference["key"]) == (secret["metadata"]["name"], "joining-key")


def test_a_joining_key_that_is_given_is_taken() -> None:
    key = "a-long-random-text-of-members-who-join"
    rendered = render_federation({"secrets.joiningKey": key})

    assert secret_of(rendered)["joining-key"] == key
    assert key not in rendered.text


def test_a_joining_key_that_is_there_is_used() -> None:
    ours = {"existingSecret": "ours", "redisPassword": "", "memberCredentials": ABSENT}
    rendered = render_federation({"secrets": ours})

    assert rendered.all("Secret") == []
    assert joining_reference(rendered) == {"name": "ours", "key": "joining-key", "optional": True}


def test_a_hash_of_an_admin_token_is_enough() -> None:
    token = {"token_sha256": "0" * 64, "scopes": ["audit"], "expires": "2030-01-01T00:00:00Z"}
    rendered = render_federation({"secrets.adminTokens": {"auditor": token}})

    assert json.loads(secret_of(rendered)["admin-tokens"]) == [{"name": "auditor", **token}]
