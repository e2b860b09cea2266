"""Writes a page that is one file: script, style and pictures stand inside it.

inline.py OUT.html TEMPLATE.html SCRIPT.js STYLE.css ICON.svg

The template has `data-inline` where the content of a file belongs, and 'script-hash' and
'style-hash' where its content security policy names what may run. The place of the profile,
MARKER, stays as it is. The output depends on nothing but the content of the files.
"""

import base64
import hashlib
import pathlib
import re
import sys

MARKER = '<script id="profile" type="application/json">null</script>'


def source_hash(text):
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def data_url(icon):
    return "data:image/svg+xml;base64," + base64.b64encode(icon.encode()).decode()


def replace_once(page, pattern, text):
    page, count = re.subn(pattern, lambda _: text, page)
    if count != 1:
        sys.exit(f"the template has {count} places for {pattern}, not 1")
    return page


def element(tag, text):
    if re.search(f"</{tag}", text, re.IGNORECASE):
        sys.exit(f"the content of <{tag}> would end it early")
    return f"<{tag}>{text}</{tag}>"


def inline(template, script, style, icon):
    style = style.replace('"icon.svg"', f'"{data_url(icon)}"')
    page = replace_once(template, r"'script-hash'", source_hash(script))
    page = replace_once(page, r"'style-hash'", source_hash(style))
    page = replace_once(page, r'"icon\.svg"', f'"{data_url(icon)}"')
    page = replace_once(page, r'<style data-inline="page\.css"></style>', element("style", style))
    page = replace_once(page, r'<script data-inline="report\.js"></script>', element("script", script))
    if page.count(MARKER) != 1:
        sys.exit("the page must hold the profile's place exactly once")
    return page


def main(arguments):
    out, *files = map(pathlib.Path, arguments)
    out.write_text(inline(*(path.read_text() for path in files)))


if __name__ == "__main__":
    main(sys.argv[1:])
