"""Reports of what a data mash found: as Markdown, as one HTML file, as JSON."""
