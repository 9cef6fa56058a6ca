"""From the engine's messages about layers to numbers."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from binder_federation.cluster_agent.stacks.docker.image_pulls import PullProgress
from binder_federation.cluster_agent.stacks.repo2docker.push_progress import PushProgress


def pushing(layer: str, current: int, total: int) -> dict[str, Any]:
    detail = {"current": current, "total": total}
    return {"id": layer, "status": "Pushing", "progressDetail": detail}


def test_a_push_from_start_to_end() -> None:
    progress = PushProgress()
    assert not progress.observe({"status": "The push refers to repository [x]"})
    assert progress.observe({"id": "a", "status": "Preparing", "progressDetail": {}})
    assert progress.observe({"id": "b", "status": "Layer already exists"})
    assert progress.observe(pushing("a", 512, 2048))
    assert progress.to_fields() == {"layers": 2, "done": 1, "bytes": 512, "total_bytes": 2048}
    assert progress.observe({"id": "a", "status": "Pushed"})
    assert progress.to_fields() == {"layers": 2, "done": 2, "bytes": 2048, "total_bytes": 2048}
    assert progress.digest == ""
    assert progress.observe({"aux": {"Tag": "1", "Digest": "sha256:ff", "Size": 3}})
    assert progress.digest == "sha256:ff"


def test_saying_the_same_again_is_no_progress() -> None:
    progress = PushProgress()
    assert progress.observe(pushing("a", 512, 1024))
    assert not progress.observe(pushing("a", 512, 1024)), "a push that stalls repeats itself"
    assert not progress.observe({"id": "a", "status": "Retrying in 5 seconds"})


def test_an_error_is_kept() -> None:
    progress = PushProgress()
    progress.observe({"errorDetail": {"message": "denied"}, "error": "denied"})
    assert progress.error == "denied"


def test_a_pull_has_words_of_its_own() -> None:
    progress = PullProgress()
    progress.observe({"id": "a", "status": "Pulling fs layer"})
    progress.observe({"id": "a", "status": "Downloading", "progressDetail": {"current": 5}})
    progress.observe({"id": "b", "status": "Already exists"})
    progress.observe({"id": "a", "status": "Pull complete"})
    assert progress.to_fields()["done"] == progress.to_fields()["layers"] == 2


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["id", "status", "progressDetail", "aux", "error"]),
            st.one_of(
                st.none(),
                st.sampled_from(["a", "Pushing", "Pushed"]),
                st.integers(),
                st.dictionaries(st.sampled_from(["current", "total", "Digest"]), st.integers()),
            ),
        )
    )
)
def test_whatever_comes_the_numbers_hold(messages: list[dict[str, Any]]) -> None:
    progress = PushProgress()
    for message in messages:
        progress.observe(message)
    fields = progress.to_fields()
    assert 0 <= fields["done"] <= fields["layers"]
    assert 0 <= fields["bytes"] <= fields["total_bytes"]
