"""The screen of the device itself: a browser that shows the pages, and what it shows while these are away."""
