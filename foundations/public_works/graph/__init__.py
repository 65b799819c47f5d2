"""The graph of what files hold: sections, passages, tables, columns, and what is named in them."""
