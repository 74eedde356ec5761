"""A piece of news as the control socket tells it: codes and values for any language, and the words in two."""

from steunpunt.control import Body
from steunpunt.engine.news import NewsView
from steunpunt.protocol.answerbody import pack_phrases

NEWS_SHOWN_MAX = 20
"""Most pieces of news in one answer: what holds, then the newest."""
LANGUAGES = ("nl", "en")


def news_body(view: NewsView) -> Body:
    """Return one piece of news; ages and ``left_s`` in seconds, ``left_s`` None: until it is cancelled."""
    from steunpunt.protocol.phrasebook import render_all  # noqa: PLC0415  eight languages, of no use before there is news

    said, age_min = view.announcement, view.age_ms // 60_000
    return {
        "serial": view.row.serial,
        "signer": view.row.signer,
        "type": said.type.name,
        "standing": view.shown.value,
        "function": said.function.name,
        "mark": said.mark.name,
        "category": said.category.name,
        "urgency": said.urgency.name,
        "severity": said.severity.name,
        "certainty": said.certainty.name,
        "headline": said.headline,
        "text": said.text,
        "phrases": pack_phrases(said.phrases, "").hex() if said.phrases else "",
        "said": {lang: render_all(said.phrases, lang, age_min=age_min) for lang in LANGUAGES},
        "age_s": view.age_ms // 1000,
        "age_at_least": view.age_at_least,
        "left_s": None if view.left_ms is None else max(view.left_ms, 0) // 1000,
        "newer": said.newer,
    }
