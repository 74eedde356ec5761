"""The page that the point's own screen shows while its web process is away; made without that process's libraries.

It says what is known and no more, in the language of the page that was asked for, and looks again by itself.
"""

import re
from collections.abc import Callable
from gettext import NullTranslations, translation
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

LOOK_S: Final = 2
FIELDS_MAX: Final = 40
_HERE = Path(__file__).parent
_LANGUAGE = re.compile(r"/([a-z]{2})/")
_FORM = "<form method=post action='{action}'>{fields}<button>{words}</button></form>"
# One page, nothing to fetch: who would answer?
_PAGE: Final = """<!doctype html>
<html lang={lang} dir={way}><head><meta charset=utf-8><meta name=viewport content="width=device-width">
<title>{title}</title>{refresh}<style>
:root{{color-scheme:light dark}}
body{{margin:0;min-height:100vh;display:grid;place-content:center;gap:1em;padding:2em;box-sizing:border-box;
font:28px/1.35 system-ui,"Noto Sans","DejaVu Sans",sans-serif;background:#f5f2ea;color:#17212b}}
h1,p{{margin:0;max-width:30em}} h1{{font-size:1.5em}}
.do{{padding:.5em .8em;border-inline-start:8px solid #0d4763;background:#dde9ee;color:#0a2f42}}
button{{font:inherit;font-weight:700;min-height:168px;width:100%;border:0;border-radius:14px;background:#0d4763;color:#fff}}
@media(prefers-color-scheme:dark){{body{{background:#10171d;color:#eef2f4}}.do{{background:#20333f;color:#e3f1f7}}
button{{background:#a9d6ea;color:#06202d}}}}
</style></head><body><h1>{title}</h1><p>{what}</p><p class=do><strong>{now}</strong> {danger}</p>{again}</body></html>
"""


def starting_page(path: str, form: bytes | None, address: str, *, sent: bool = False) -> str:
    """Return the page for who asked for ``path``; ``address`` is where one goes when nothing works.

    ``form`` is what was typed, as a browser encodes it, None without: one tap sends the same again, and the same form
    makes one request. ``sent`` says whether it left, and so may have been kept.
    """
    found = _LANGUAGE.match(path)
    lang = found[1] if found and (_HERE / "translations" / found[1]).is_dir() else "nl"
    gettext = _words_of(lang)
    danger = gettext("Danger? Call 112 if a phone works. Otherwise: go to %(address)s.") % {"address": address}
    told = {"lang": lang, "way": "rtl" if lang == "ar" else "ltr", "now": escape(gettext("Do now:"))}
    if form is None:
        title, what = gettext("One moment. This screen is starting."), gettext("What you have sent before stays.")
        refresh, again = f'<meta http-equiv=refresh content="{LOOK_S};url={escape(path)}">', ""
    else:
        waits = gettext("This has not been kept yet.")
        title = gettext("We don't know yet whether this has been kept.") if sent else waits
        what = gettext("Wait a moment and tap the button. The same request is never kept twice.")
        refresh, again = "", _form_of(path, form, gettext("Try again"))
    return _PAGE.format(
        title=escape(title), what=escape(what), danger=escape(danger), refresh=refresh, again=again, **told
    )


def _form_of(path: str, form: bytes, words: str) -> str:
    fields = parse_qsl(form.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    hidden = "".join(f"<input type=hidden name='{escape(name)}' value='{escape(value)}'>" for name, value in fields)
    return _FORM.format(action=escape(path), fields=hidden, words=escape(words))


def _words_of(lang: str) -> Callable[[str], str]:
    try:
        return translation("messages", _HERE / "translations", [lang]).gettext
    except OSError:
        return NullTranslations().gettext
