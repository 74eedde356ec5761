"""The tables, for both roles. All ``*_ms`` columns are ledger milliseconds (steunpunt.ledger.clock)."""

import sqlalchemy as sa

metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)

# --- a kiosk's side -------------------------------------------------------------------------------------------

epochs = sa.Table(
    "epochs",
    metadata,
    sa.Column("eid", sa.LargeBinary(3), primary_key=True),
    sa.Column("e_pub", sa.LargeBinary(32), nullable=False),
    sa.Column("receipted", sa.Boolean, nullable=False, default=False),
)

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("counter", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("life_threat", sa.Boolean, nullable=False),
    sa.Column("state", sa.Integer, nullable=False),
    sa.Column("state_ms", sa.BigInteger, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("passed_on_ms", sa.BigInteger),
    sa.Column("close_code", sa.Integer),
    sa.Column("secret_salt", sa.LargeBinary(16)),  # NULL: a button's open ticket
    sa.Column("answer_locked", sa.LargeBinary, nullable=False),
    sa.Column("copy_locked", sa.LargeBinary),
    sa.Column("fallback_ms", sa.BigInteger),  # when the readable fall-back went on the air
    sa.Column("handheld_ms", sa.BigInteger),  # when someone with a handheld replied to it
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("counter", sa.Integer, sa.ForeignKey("tickets.counter"), nullable=False, index=True),
    sa.Column("is_request", sa.Boolean, nullable=False),
    sa.Column("form_digest", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("lane", sa.Integer, nullable=False),
    sa.Column("eid", sa.LargeBinary(3), nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("verify", sa.LargeBinary(16), nullable=False),
    sa.Column("piece", sa.LargeBinary, nullable=False),  # the bodies of all fragments, one after the other
    sa.Column(
        "missing", sa.Integer, nullable=False, server_default="65535"
    ),  # bit i: fragment i is not known to be there
    sa.Column("unsent", sa.Integer, nullable=False, server_default="0"),  # bit i: still to send in this mesh try
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("receipted_ms", sa.BigInteger, index=True),
    sa.Column("receipted_by", sa.Integer),  # coordinator * 256 + its incarnation
    sa.Column("mesh_tries", sa.Integer, nullable=False, default=0),
    sa.Column("mesh_next_ms", sa.BigInteger, nullable=False, default=0),
    sa.Column("broker_tries", sa.Integer, nullable=False, default=0),
    sa.Column("broker_next_ms", sa.BigInteger, nullable=False, default=0),
    sa.UniqueConstraint("eid", "n"),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("counter", sa.Integer, sa.ForeignKey("tickets.counter"), nullable=False),
    sa.Column("salt", sa.LargeBinary(4), nullable=False),
    sa.Column("packet", sa.LargeBinary, nullable=False),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("counter", "salt"),
)

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("button", sa.String(40), nullable=False),
    sa.Column("pressed_ms", sa.BigInteger, nullable=False),
    sa.Column("presses", sa.Integer, nullable=False),
    sa.Column("presses_told", sa.Integer, nullable=False, default=0),
    sa.Column("told_ms", sa.BigInteger, nullable=False, default=0),
    sa.Column("cancelled", sa.Boolean, nullable=False, default=False),
    sa.Column("counter", sa.Integer, sa.ForeignKey("tickets.counter")),
)

news = sa.Table(  # public: signed for all to read
    "news",
    metadata,
    sa.Column("signer", sa.Integer, primary_key=True),
    sa.Column("incarnation", sa.Integer, primary_key=True),
    sa.Column("serial", sa.Integer, primary_key=True),
    sa.Column("floor", sa.Integer, nullable=False),
    sa.Column("supersedes", sa.Integer),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("issued_ms", sa.BigInteger, nullable=False),  # by its age when it came; may lie before ledger time began
    sa.Column("issued_at_least", sa.Boolean, nullable=False),
)

# --- both sides -----------------------------------------------------------------------------------------------

airtime = sa.Table(
    "airtime",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("radio", sa.String(31), nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("air_ms", sa.Float, nullable=False),
)

# --- a coordinator's side -------------------------------------------------------------------------------------

heard_epochs = sa.Table(
    "heard_epochs",
    metadata,
    sa.Column("site", sa.Integer, primary_key=True),
    sa.Column("eid", sa.LargeBinary(3), primary_key=True),
    sa.Column("e_pub", sa.LargeBinary(32), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
)

heard_pieces = sa.Table(
    "heard_pieces",
    metadata,
    sa.Column("site", sa.Integer, primary_key=True),
    sa.Column("eid", sa.LargeBinary(3), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("body", sa.LargeBinary),
    sa.Column("opened", sa.Boolean, nullable=False),
    sa.Column("first_ms", sa.BigInteger, nullable=False),
)

halves = sa.Table(  # messages of which some fragments are here, all of them authentic
    "halves",
    metadata,
    sa.Column("site", sa.Integer, primary_key=True),
    sa.Column("eid", sa.LargeBinary(3), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("have", sa.Integer, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("lane", sa.Integer, nullable=False),
    sa.Column("heard_ms", sa.BigInteger, nullable=False),
    sa.Column("wants", sa.Integer, nullable=False),
    sa.Column("want_due_ms", sa.BigInteger, nullable=False),
)

heard_fragments = sa.Table(  # sealed as they came; those of an unknown epoch are held, not opened
    "heard_fragments",
    metadata,
    sa.Column("site", sa.Integer, primary_key=True),
    sa.Column("eid", sa.LargeBinary(3), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("fragment", sa.Integer, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("opened", sa.Boolean, nullable=False),
)

sites = sa.Table(
    "sites",
    metadata,
    sa.Column("site", sa.Integer, primary_key=True),
    sa.Column("mesh_ms", sa.BigInteger),
    sa.Column("broker_ms", sa.BigInteger),
    sa.Column("carrier", sa.Integer),
    sa.Column("mesh_radio", sa.String(31)),  # the radio here that heard it last, by its name in the config
    sa.Column("gateway_ms", sa.BigInteger),  # when another site last carried a piece of it
)

gateways = sa.Table(  # who carried whose pieces over its broker, the latest few
    "gateways",
    metadata,
    sa.Column("site", sa.Integer, primary_key=True),
    sa.Column("carrier", sa.Integer, primary_key=True),
    sa.Column("heard_ms", sa.BigInteger, nullable=False),
)

standby = sa.Table(  # messages addressed to another coordinator, until it is clear who deals with them
    "standby",
    metadata,
    sa.Column("site", sa.Integer, primary_key=True),
    sa.Column("eid", sa.LargeBinary(3), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("coordinator", sa.Integer, nullable=False),
    sa.Column("lane", sa.Integer, nullable=False),
    sa.Column("verify", sa.LargeBinary, nullable=False),  # V, under the ledger's own key
    sa.Column("stand", sa.Integer, nullable=False),  # relay.standby.Stand
    sa.Column("code", sa.Integer),  # the highest TokenCode overheard
    sa.Column("told_ms", sa.BigInteger),  # when a token was last overheard
    sa.Column("since_ms", sa.BigInteger, nullable=False),
    sa.Column("due_ms", sa.BigInteger, index=True),  # when to look whether to take over; NULL: never
)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("site", sa.Integer, nullable=False),
    sa.Column("eid", sa.LargeBinary(3), nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("counter", sa.Integer, nullable=False),
    sa.Column("lane", sa.Integer, nullable=False),
    sa.Column("state", sa.Integer, nullable=False),
    sa.Column("content_key", sa.LargeBinary, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("age_ms_at_receipt", sa.BigInteger, nullable=False),
    sa.Column("age_at_least", sa.Boolean, nullable=False),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    sa.Column("passed_on", sa.Boolean, nullable=False, default=False),
    sa.Column("close_code", sa.Integer),
    sa.Column("presses", sa.Integer, nullable=False, default=0),
    sa.Column("by_mesh", sa.Boolean, nullable=False, default=False),
    sa.Column("by_broker", sa.Boolean, nullable=False, default=False),
    sa.Column("quarantined", sa.Boolean, nullable=False, server_default=sa.false()),  # of a card that is revoked
    sa.UniqueConstraint("site", "eid", "n"),
    sa.Index("cases_in_danger", "lane", "state"),  # no partial one: telling PostgreSQL so would load its dialect, 2 MiB
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("site", sa.Integer, nullable=False),
    sa.Column("eid", sa.LargeBinary(3), nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("token", sa.String(80), unique=True),  # one form, one act
    sa.Column("content", sa.LargeBinary),  # under the case's key; kind early: the ledger's
    sa.Index("events_of_case", "site", "eid", "n"),
)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("event_id", sa.Integer, sa.ForeignKey("events.id"), nullable=False),
    sa.Column("code", sa.Integer),  # a TokenCode; NULL: an answer
    sa.Column("salt", sa.LargeBinary(4)),
    sa.Column("packet", sa.LargeBinary),  # an answer, sealed for the ticket
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("next_ms", sa.BigInteger, nullable=False, default=0),
    sa.Column("delivered_ms", sa.BigInteger, index=True),
)

announcements = sa.Table(
    "announcements",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("token", sa.String(80), nullable=False, unique=True),  # one form, one announcement
    sa.Column("content", sa.LargeBinary, nullable=False),  # public; names no serial and no age, which signing puts in
    sa.Column("by_box", sa.LargeBinary, nullable=False),  # who wrote it, under the ledger's key
    sa.Column("about", sa.Integer, sa.ForeignKey("announcements.id")),  # what it updates, cancels or says anew
    sa.Column("issued_ms", sa.BigInteger, nullable=False),
    sa.Column("serial", sa.Integer),  # NULL: the node has not signed it yet
    sa.Column("incarnation", sa.Integer),
    sa.Column("floor", sa.Integer),
    sa.Column("ended_ms", sa.BigInteger),  # updated, cancelled or said anew by a later one
    sa.Column("broker_ms", sa.BigInteger),  # handed to the broker at
    sa.Column("rounds", sa.Integer, nullable=False, server_default="0"),  # how often it was broadcast by radio
    sa.Column("next_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.UniqueConstraint("incarnation", "serial"),
)

heartbeats = sa.Table(  # the newest of each site
    "heartbeats",
    metadata,
    sa.Column("site", sa.Integer, primary_key=True),
    sa.Column("eid", sa.LargeBinary(3), nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("plain", sa.LargeBinary, nullable=False),
    sa.Column("news_again_ms", sa.BigInteger),  # when what it misses was last sent again to it
)

slips = sa.Table(  # what the kazernebox prints; nothing of what is on them
    "slips",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("event_id", sa.Integer, nullable=False),  # 0: the request itself, else what was added to it
    sa.Column("upto", sa.Integer, nullable=False, default=0),  # the last event that it told of
    sa.Column("state", sa.Integer, nullable=False),  # ledger.slips.SlipState
    sa.Column("doubtful", sa.Boolean, nullable=False, default=False),  # there may be paper of it already
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("queued_ms", sa.BigInteger, nullable=False),
    sa.Column("printed_ms", sa.BigInteger),
    sa.UniqueConstraint("case_id", "event_id"),
    sa.Index("slips_of_state", "state"),
)
