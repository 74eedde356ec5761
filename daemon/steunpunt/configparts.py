"""What the sections of the config file are made of: their base, and the forms that a key may have."""

from pathlib import Path
from typing import Annotated, TypeVar, get_args

import msgspec

from steunpunt.model import COORDINATOR_ID_MAX

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
SiteId = Annotated[int, msgspec.Meta(ge=1, le=65535)]
CoordinatorId = Annotated[int, msgspec.Meta(ge=1, le=COORDINATOR_ID_MAX)]
Name = Annotated[str, msgspec.Meta(pattern=r"^\S([^\x00-\x1f\x7f]{0,78}\S)?\Z")]
SlugName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}\Z")]
NodeName = Annotated[str, msgspec.Meta(pattern=r"^![0-9a-f]{8}\Z")]
TopicName = Annotated[str, msgspec.Meta(pattern=r"^[^#+\s]{1,60}\Z")]
FileName = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
DevicePath = Annotated[str, msgspec.Meta(max_length=4096)]
"""As FileName, but may be empty."""
IpAddress = Annotated[str, msgspec.Meta(pattern=r"^(\d{1,3}\.){3}\d{1,3}\Z")]
HostName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?=.{1,253}\Z)([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%\w+)?)\Z",
    ),
]
"""A name, an IPv4 or an IPv6 address; no URL and no port."""
ChannelName = Annotated[str, msgspec.Meta(min_length=1, max_length=11)]
RadioName = Annotated[str, msgspec.Meta(pattern=r"^\S([^\x00-\x1f\x7f]{0,37}\S)?\Z")]
ShortName = Annotated[str, msgspec.Meta(pattern=r"^[^\s\x00-\x1f\x7f]{1,4}\Z")]
FirmwareVersion = Annotated[str, msgspec.Meta(pattern=r"^\d{1,3}\.\d{1,3}\.\d{1,4}\Z")]
Pin = Annotated[int, msgspec.Meta(ge=0, le=27)]
Command = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
"""A program and its arguments as they are typed, with quotes where needed; no shell reads it."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, and an unknown key is an error."""


SectionT = TypeVar("SectionT", bound=Section)


def absolute(section: SectionT, folder: Path) -> SectionT:
    """Return the section with every path in it made absolute, counting from ``folder``."""
    changes: dict[str, object] = {}
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Section):
            changes[field.name] = absolute(value, folder)
        elif isinstance(value, tuple):
            changes[field.name] = tuple(absolute(each, folder) if isinstance(each, Section) else each for each in value)
        elif value and _is_path(field.type):
            changes[field.name] = str(folder / value)
    return msgspec.structs.replace(section, **changes)


def _is_path(annotation: object) -> bool:
    return any(part in (FileName, DevicePath) for part in (annotation, *get_args(annotation)))
