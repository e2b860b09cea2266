"""Writes the page's files into C++.

embed.py OUT.cc INDEX.html FILE...
embed.py --report OUT.cc REPORT.html

The first form writes a table of the page's files; the second the report, as it is. Each FILE is served as /assets/<stem>-<hash>.<suffix>; the other files' references to
assets/<name> are rewritten to that. Text is compressed with gzip. The output depends on nothing
but the content of the files.
"""

import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
BYTES_PER_LINE = 24


def hashed_name(path, content):
    digest = hashlib.sha256(content).hexdigest()[:8]
    return f"{path.stem}-{digest}{path.suffix}"


def load(index, files):
    """Returns {served path: (content type, content)}, references already rewritten."""
    contents = {path.name: path.read_bytes() for path in files}
    # A picture refers to nothing, a style sheet to pictures, the index to all.
    order = sorted(files, key=lambda path: (path.suffix != ".svg", path.name))
    assets = {}
    page = index.read_bytes()
    for path in order:
        content = contents[path.name]
        served = hashed_name(path, content)
        for name, text in contents.items():
            contents[name] = text.replace(f'"{path.name}"'.encode(), f'"{served}"'.encode())
        reference = f"assets/{path.name}".encode()
        if reference not in page:
            sys.exit(f"{index}: does not refer to {reference.decode()}")
        page = page.replace(reference, f"assets/{served}".encode())
        assets[f"/assets/{served}"] = (TYPES[path.suffix], content)
    assets["/"] = (TYPES[".html"], page)
    return assets


def array(name, data):
    lines = [f"constexpr unsigned char {name}[] = {{"]
    for start in range(0, len(data), BYTES_PER_LINE):
        row = data[start : start + BYTES_PER_LINE]
        lines.append("    " + "".join(f"{byte}," for byte in row))
    return lines + ["};"]


def render(assets):
    lines = [
        "// Written by embed.py.",
        '#include "services/store/page/page_assets.h"',
        "",
        "namespace stoker::store {",
        "namespace {",
        "",
    ]
    table = []
    for number, path in enumerate(sorted(assets)):
        content_type, content = assets[path]
        packed = gzip.compress(content, 9, mtime=0)
        lines += array(f"kBytes{number}", packed)
        table.append(
            f'    {{"{path}", "{content_type}",\n'
            f"     {{reinterpret_cast<const char*>(kBytes{number}), sizeof(kBytes{number})}}, true}},"
        )
    lines += ["", "const Asset kAssets[] = {"] + table + ["};", "", "}  // namespace", ""]
    lines += ["std::span<const Asset> PageAssets() { return kAssets; }", ""]
    lines += ["}  // namespace stoker::store", ""]
    return "\n".join(lines)


def render_report(page):
    lines = [
        "// Written by embed.py.",
        '#include "services/store/page/report.h"',
        "",
        "namespace stoker::store {",
        "namespace {",
        "",
        *array("kPage", page),
        "",
        "}  // namespace",
        "",
        "std::string_view ReportTemplate() {",
        "  return {reinterpret_cast<const char*>(kPage), sizeof(kPage)};",
        "}",
        "",
        "}  // namespace stoker::store",
        "",
    ]
    return "\n".join(lines)


def main(arguments):
    if arguments[0] == "--report":
        out, report = map(pathlib.Path, arguments[1:])
        out.write_text(render_report(report.read_bytes()))
        return
    out, index, *files = map(pathlib.Path, arguments)
    out.write_text(render(load(index, files)))


if __name__ == "__main__":
    main(sys.argv[1:])
