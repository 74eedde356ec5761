"""A whole region on one computer: real processes, virtual radios, and a page to pull its cables."""
