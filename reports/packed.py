"""What the page carries for its scripts, compressed: most of it is the same few words and digits again and again."""

import base64
import gzip
import json


def packed(value: object) -> str:
    """The value as JSON, compressed and in base64, for `reportUnpack` in `templates/scripts/1-packed.js`."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
