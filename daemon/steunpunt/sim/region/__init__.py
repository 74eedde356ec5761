"""Whole regions under a virtual clock: the real engines, ledgers and keys on the simulated air."""
