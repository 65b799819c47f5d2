"""The librarian: an index over what is known, searched by words and by meaning."""
