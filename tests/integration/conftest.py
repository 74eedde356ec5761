"""What tests of several processes or screens share."""

from tests.fakes.ui_fixtures import fixture_node, fixture_passwords, fixture_web

__all__ = ["fixture_node", "fixture_passwords", "fixture_web"]
