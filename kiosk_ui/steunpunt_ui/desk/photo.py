"""Codes in a photo: the only door to Pillow and zxing-cpp, loaded when somebody at the desk sends a photo.

A photo may show a whole ticket, its secret half too: it stays in memory and is forgotten with the request.
"""

import io
from typing import IO

FORM_BYTES_MAX = 10 * 1024 * 1024
"""Largest form with photos: one of a phone, or several made small."""
PIXELS_MAX = 60_000_000
_SIDE_PIXELS_MAX = 4_000
"""Above this a photo is made smaller first: a code of 57 modules that fills a tenth of its width is still read."""
_FORMATS = ("JPEG", "PNG", "WEBP")


class PhotoError(ValueError):
    """Not a photo of a kind that is read here, or one with too many pixels."""


def codes_in(photo: IO[bytes]) -> list[str]:
    """Return the text of each QR code in a photo, in no particular order; PhotoError when it can't be read."""
    import zxingcpp  # noqa: PLC0415  see the module
    from PIL import Image  # noqa: PLC0415

    try:
        with Image.open(io.BytesIO(photo.read(FORM_BYTES_MAX)), formats=_FORMATS) as image:
            if image.width * image.height > PIXELS_MAX:
                raise PhotoError(f"a photo of {image.width} by {image.height}; at most {PIXELS_MAX} pixels")
            image.draft("L", (_SIDE_PIXELS_MAX, _SIDE_PIXELS_MAX))
            grey = image.convert("L")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise PhotoError("this is no JPEG, PNG or WebP photo") from error
    grey.thumbnail((_SIDE_PIXELS_MAX, _SIDE_PIXELS_MAX))
    found = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return [one.text for one in found if one.text]
