"""A member's side: builds images, launches sessions, tells the federation what it has."""
