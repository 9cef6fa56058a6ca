"""A server that finds no room is not a failure: how the spawner's words say which it was.

The spawner lives in the hub's process; what it raises reaches the agent as a sentence in
the hub's account of the start. Kubernetes itself says "exceeded quota" when a pod is
refused for the namespace's ResourceQuota, and a hub that is not ours passes that on.
"""

NO_ROOM = "The cluster has no room for another server"
_WORDS = (NO_ROOM.lower(), "exceeded quota")


def is_for_want_of_room(message: str) -> bool:
    """Whether a start failed because nothing more fits, not because something is wrong."""
    return any(words in message.lower() for words in _WORDS)
