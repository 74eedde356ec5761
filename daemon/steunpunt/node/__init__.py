"""The node: the one loop around the engine, with its links, panel and control socket."""
