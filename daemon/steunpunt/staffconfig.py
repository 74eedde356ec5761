"""The sections of the config file for a point's staff, and for how long anything is kept."""

from typing import Annotated

import msgspec

from steunpunt.configparts import FileName, Section


class Staff(Section, frozen=True, kw_only=True):
    """The staff's own pages at a point, behind a PIN; without this section there are none."""

    pin_file: FileName
    """The PIN's scrypt hash (``steunpunt keys staff-pin``), read by the node alone."""
    over_wifi: bool = False
    """Whether they also open on devices that come over the wifi: only where that wifi has a password."""


class Retention(Section, frozen=True, kw_only=True):
    """When what is closed is deleted, in days; nothing that is open ever is."""

    closed_days: Annotated[int, msgspec.Meta(ge=4, le=3650)] = 30
    """Days after closing until a request is deleted; more than the 72 hours in which it may be offered again."""
