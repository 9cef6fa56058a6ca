"""The cluster's API, as far as the agent needs it. The rest of the stack knows no other client.

Objects are plain JSON objects, as the API has them (`pods.py` reads pods). A method's
`deadline` is in the event loop's time; without one it is half a minute from now.
Neighbours: `requests.py` sends and retries, `watching.py` follows pods, `errors.py` says
what can go wrong.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Self

from binder_federation.cluster_agent.stacks.kubernetes.configuration import load_access
from binder_federation.cluster_agent.stacks.kubernetes.errors import NotAllowed
from binder_federation.cluster_agent.stacks.kubernetes.log_stream import read_log
from binder_federation.cluster_agent.stacks.kubernetes.requests import Json, Request, Requests
from binder_federation.cluster_agent.stacks.kubernetes.watching import PodsSeen, PodWatch

_PAGE = 500


class KubernetesApi:
    """One namespace of a cluster (and its nodes, where those may be read)."""

    def __init__(self, *, requests: Requests, namespace: str) -> None:
        self._requests = requests
        self._namespace = namespace

    @classmethod
    async def open(cls, *, namespace: str = "", context: str = "") -> Self:
        """The cluster of this pod, or of KUBECONFIG (and its `context`).

        `namespace` empty: the pod's own, or the context's. Raises `StackNotReady` when no
        cluster is configured; nothing is asked of it yet. Close it with `aclose`.
        """
        access = await load_access(context=context)
        return cls(requests=Requests(client=access.client), namespace=namespace or access.namespace)

    @property
    def namespace(self) -> str:
        """Where the agent's pods are."""
        return self._namespace

    async def aclose(self) -> None:
        """Close the connections."""
        await self._requests.aclose()

    async def create_pod(
        self, manifest: Json, *, is_repeated: bool = False, deadline: float | None = None
    ) -> Json:
        """Make the pod; returns it as it is now.

        `is_repeated`: send it again when no answer comes; then `AlreadyThere` may be one's own.
        Raises `AlreadyThere`, `ClusterFull` (403 "exceeded quota"), `NotAllowed`,
        `ClusterRefused`, `ClusterUnavailable` (it may have been made all the same).
        """
        return await self._create("pods", manifest, deadline, is_repeated=is_repeated)

    async def create_secret(
        self, manifest: Json, *, is_repeated: bool = False, deadline: float | None = None
    ) -> Json:
        """Make the Secret; as `create_pod`."""
        return await self._create("secrets", manifest, deadline, is_repeated=is_repeated)

    async def read_secret(self, name: str, *, deadline: float | None = None) -> Json | None:
        """The Secret, or None when there is none."""
        return await self._requests.send(
            Request("GET", self._path(f"secrets/{name}")), deadline=deadline
        )

    async def replace_secret(
        self, name: str, manifest: Json, *, deadline: float | None = None
    ) -> None:
        """Put `manifest` in its place; with a resourceVersion, only of what was read so.

        Raises `ClusterRefused` (409) when it has changed since.
        """
        request = Request("PUT", self._path(f"secrets/{name}"), body=manifest)
        await self._requests.send(request, deadline=deadline)

    async def read_pod(self, name: str, *, deadline: float | None = None) -> Json | None:
        """The pod, or None when there is none."""
        return await self._requests.send(
            Request("GET", self._path(f"pods/{name}")), deadline=deadline
        )

    async def delete_pod(
        self,
        name: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        deadline: float | None = None,
    ) -> bool:
        """Delete the pod; whether there was one. `uid`: only if it is still that very one.

        `grace_seconds` None: the pod's own; 0 forgets it at once, whatever its node does.
        Returns when the deletion has begun.
        """
        body: Json = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid:
            body["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        request = Request("DELETE", self._path(f"pods/{name}"), body=body)
        return await self._requests.send(request, deadline=deadline) is not None

    async def list_pods(
        self, selector: str = "", *, fields: str = "", deadline: float | None = None
    ) -> list[Json]:
        """The pods with these labels (`component=build`) and fields (`status.phase=Running`)."""
        return await self._list(self._path("pods"), _selection(selector, fields), deadline)

    async def list_all_pods(self, *, deadline: float | None = None) -> list[Json]:
        """The pods of all namespaces; raises `NotAllowed` where that may not be read."""
        return await self._list("/api/v1/pods", {}, deadline)

    def watch_pods(
        self, selector: str = "", *, name: str = "", deadline: float
    ) -> AsyncGenerator[PodsSeen, None]:
        """Follow the pods with these labels, or the one called `name`: see `PodWatch.follow`."""
        fields = f"metadata.name={name}" if name else ""
        watch = PodWatch(self._requests, self._path("pods"), _selection(selector, fields))
        return watch.follow(deadline=deadline)

    def pod_log(
        self, name: str, *, container: str = "", since: str = "", is_followed: bool = True
    ) -> AsyncGenerator[str, None]:
        """The lines of a container's log, each beginning with its time (RFC 3339) and a space.

        `since` is such a time, to the second. Ends with the container, or with nothing when
        there is no such pod; raises `ClusterUnavailable` when the stream breaks off. A long
        silence is no failure: the caller has the deadline.
        """
        query = {"timestamps": "true", "follow": str(is_followed).lower()}
        if container:
            query["container"] = container
        if since:
            query["sinceTime"] = since
        return read_log(self._requests, Request("GET", self._path(f"pods/{name}/log"), query))

    async def pod_events(self, name: str, *, deadline: float | None = None) -> list[Json]:
        """What the cluster tells of the pod, oldest first."""
        query = {"fieldSelector": f"involvedObject.kind=Pod,involvedObject.name={name}"}
        events = await self._list(self._path("events"), query, deadline)
        return sorted(events, key=lambda event: event.get("lastTimestamp") or "")

    async def list_quotas(self, *, deadline: float | None = None) -> list[Json]:
        """The ResourceQuota objects of the namespace."""
        return await self._list(self._path("resourcequotas"), {}, deadline)

    async def list_nodes(self, *, deadline: float | None = None) -> list[Json]:
        """The cluster's nodes; raises `NotAllowed` where they may not be read."""
        return await self._list("/api/v1/nodes", {}, deadline)

    async def missing_rights(
        self, wanted: Sequence[tuple[str, str]], *, deadline: float | None = None
    ) -> list[str]:
        """Which of the (verb, resource) pairs the agent's role lacks, each as `create pods`.

        A resource may have a subresource: `pods/log`. `nodes` is asked for in the whole
        cluster. https://kubernetes.io/docs/reference/access-authn-authz/authorization/
        """
        return [
            f"{verb} {resource}"
            for verb, resource in wanted
            if not await self._may(verb, resource, deadline)
        ]

    async def _may(self, verb: str, resource: str, deadline: float | None) -> bool:
        kind, _, part = resource.partition("/")
        attributes = {
            "namespace": "" if kind == "nodes" else self._namespace,
            "verb": verb,
            "resource": kind,
            "subresource": part,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        try:
            answer = await self._requests.send(
                Request("POST", path, body=review), deadline=deadline
            )
        except NotAllowed:
            return True  # a cluster that does not even let one ask: the deed will tell
        return bool((answer or {}).get("status", {}).get("allowed"))

    async def _create(
        self, kind: str, manifest: Json, deadline: float | None, *, is_repeated: bool
    ) -> Json:
        request = Request("POST", self._path(kind), body=manifest, is_repeated=is_repeated)
        return await self._requests.send(request, deadline=deadline) or {}

    async def _list(
        self, path: str, query: Mapping[str, str], deadline: float | None
    ) -> list[Json]:
        """All pages of a list."""
        found: list[Json] = []
        page = {**query, "limit": str(_PAGE)}
        while True:
            answer = await self._requests.send(Request("GET", path, page), deadline=deadline) or {}
            found += answer.get("items") or []
            following = answer.get("metadata", {}).get("continue")
            if not following:
                return found
            page["continue"] = following

    def _path(self, rest: str) -> str:
        return f"/api/v1/namespaces/{self._namespace}/{rest}"


def _selection(selector: str, fields: str) -> dict[str, str]:
    wanted = {"labelSelector": selector, "fieldSelector": fields}
    return {name: value for name, value in wanted.items() if value}
