"""The Docker stack: one engine builds, keeps images and runs users' servers."""
