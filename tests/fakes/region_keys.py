"""A region's keys from fixed bytes: the same in every run, and in the test vectors of docs/security/protocol.md."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from steunpunt.protocol.keys import CoordinatorIdentity, CoordinatorKeys, SiteKeys, site_secret

ROOT = bytes(range(32))
REGION_PRIVATE = bytes(range(32, 64))
NEWS_PRIVATE = bytes(range(64, 96))
OFFLINE_ROOT = bytes(range(96, 128))
EPHEMERAL = bytes(range(128, 160))
COORDINATOR, SITE, GENERATION = 1, 47, 1
SECOND = 2
"""Another coordinator of the region."""

NEWS = Ed25519PrivateKey.from_private_bytes(NEWS_PRIVATE)
OFFLINE = Ed25519PrivateKey.from_private_bytes(OFFLINE_ROOT)


def identity(coordinator: int = COORDINATOR) -> CoordinatorIdentity:
    """Return a coordinator's identity, signed by the offline root."""
    public = NEWS.public_key().public_bytes_raw()
    unsigned = CoordinatorIdentity(coordinator, public, b"")
    return CoordinatorIdentity(coordinator, public, OFFLINE.sign(unsigned.signed_part()))


def coordinator_keys(coordinator: int = COORDINATOR) -> CoordinatorKeys:
    root_public = OFFLINE.public_key().public_bytes_raw()
    return CoordinatorKeys(coordinator, ROOT, REGION_PRIVATE, NEWS_PRIVATE, root_public, identity(coordinator))


ONE, BOTH = (identity(),), (identity(), identity(SECOND))


def site_keys(
    site: int = SITE, generation: int = GENERATION, coordinators: tuple[CoordinatorIdentity, ...] = ONE
) -> SiteKeys:
    coordinator = coordinator_keys()
    secret = site_secret(ROOT, site, generation)
    return SiteKeys(site, generation, secret, coordinator.region_public(), coordinator.root_public, coordinators)
