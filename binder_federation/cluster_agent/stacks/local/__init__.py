"""The local stack: an image is a folder, a session is a process of this user, without isolation."""
