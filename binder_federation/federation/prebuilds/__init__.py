"""Images made at some members before anybody launches them."""
