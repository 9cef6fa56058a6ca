"""A member's registry: the client of its API, credentials for it, and the images in it."""
