"""How a kind of cluster builds, keeps and runs images: one folder each."""
