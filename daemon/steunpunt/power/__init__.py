"""Power: readings in NUT's terms, the policy that decides over them, and the thin edge that saves."""
