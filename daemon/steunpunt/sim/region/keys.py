"""The keys of a simulated region: made from its seed, so that a run can be repeated."""

import random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from steunpunt.protocol.keys import KEY_BYTES, CoordinatorIdentity, CoordinatorKeys, SiteKeys, site_secret


class RegionKeys:
    """All keys of one region."""

    def __init__(self, rng: random.Random, coordinators: tuple[int, ...]) -> None:
        self.root = rng.randbytes(KEY_BYTES)
        self.region_private = rng.randbytes(KEY_BYTES)
        self.offline = Ed25519PrivateKey.from_private_bytes(rng.randbytes(KEY_BYTES))
        self._news = {number: rng.randbytes(KEY_BYTES) for number in coordinators}
        self.ledger_keys = {number: rng.randbytes(KEY_BYTES) for number in coordinators}

    @property
    def root_public(self) -> bytes:
        """The offline root's public key."""
        return self.offline.public_key().public_bytes_raw()

    def identity(self, coordinator: int) -> CoordinatorIdentity:
        """A coordinator's identity, signed by the offline root."""
        news = Ed25519PrivateKey.from_private_bytes(self._news[coordinator]).public_key().public_bytes_raw()
        unsigned = CoordinatorIdentity(coordinator, news, b"")
        return CoordinatorIdentity(coordinator, news, self.offline.sign(unsigned.signed_part()))

    def of_coordinator(self, coordinator: int) -> CoordinatorKeys:
        """What a coordinator's key file holds."""
        return CoordinatorKeys(
            coordinator,
            self.root,
            self.region_private,
            self._news[coordinator],
            self.root_public,
            self.identity(coordinator),
        )

    def of_site(self, site: int, generation: int = 1) -> SiteKeys:
        """What a kiosk's card holds."""
        secret = site_secret(self.root, site, generation)
        public = X25519PrivateKey.from_private_bytes(self.region_private).public_key().public_bytes_raw()
        identities = tuple(self.identity(number) for number in self._news)
        return SiteKeys(site, generation, secret, public, self.root_public, identities)
