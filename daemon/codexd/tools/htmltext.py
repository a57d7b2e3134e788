"""The text of an HTML page: its title, headings, paragraphs, lists, code and links.

Reads in time linear in the page's length, whatever it holds: the standard library's parser takes
minutes for 200 KB of `<a <a <a`, and a page is an attacker's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urljoin

_SILENT = {"script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "canvas"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "details", "div", "dl", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
    "main", "ol", "p", "pre", "section", "summary", "table", "ul",
}  # fmt: skip
_LINES = {"li", "tr", "dt", "dd", "br", "option"}
"""Elements that begin on a line of their own, without a blank line around them."""
_LONGEST_LINK = 200


def text_of(html: str, url: str) -> str:
    """The readable text of `html`, links as `[text](url)` with the page's `url` as their base."""
    reader = _Reader(url)
    for kind, value, more in _tokens(html):
        match kind:
            case "text":
                reader.data(value)
            case "start":
                reader.start(value, more)
            case _:
                reader.end(value)
    return reader.text()


# --- the page in pieces ---------------------------------------------------------------------

_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]{0,50})")
_TAG_PART = re.compile(r"[>\"']")
_RAW = {"script", "style", "textarea", "title"}
"""Elements that hold text only, up to their end tag."""
_HREF = re.compile(r"(?<![\w-])href\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE)


def _tokens(html: str) -> Iterator[tuple[str, str, str]]:
    """`("text", TEXT, "")`, `("start", NAME, HREF)`, `("end", NAME, "")`, in order.

    Every search either moves the place on or, finding nothing, ends the page: linear.
    """
    at = 0
    while at < len(html):
        begin = html.find("<", at)
        if begin < 0:
            yield "text", unescape(html[at:]), ""
            return
        if begin > at:
            yield "text", unescape(html[at:begin]), ""
        tag = _TAG.match(html, begin)
        if tag is None:
            at = _after_other(html, begin)
            if at == begin + 1:
                yield "text", "<", ""
            continue
        end = _end_of_tag(html, tag.end())
        name = tag[2].lower()
        if tag[1]:
            yield "end", name, ""
        else:
            yield "start", name, _href(html[tag.end() : end]) if name == "a" else ""
        at = end
        if name in _RAW and not tag[1]:
            close = re.compile(f"</{name}", re.IGNORECASE).search(html, at)
            stop = close.start() if close else len(html)
            yield "text", unescape(html[at:stop]), ""
            at = stop


def _after_other(html: str, begin: int) -> int:
    """The place after a comment, a declaration, or a `<` that begins nothing."""
    if html.startswith("<!--", begin):
        end = html.find("-->", begin + 4)
        return end + 3 if end >= 0 else len(html)
    if html.startswith(("<!", "<?", "</"), begin):
        end = html.find(">", begin)
        return end + 1 if end >= 0 else len(html)
    return begin + 1


def _end_of_tag(html: str, at: int) -> int:
    """The place after a tag's `>`, quoted ones passed over; the page's end where there is none."""
    while part := _TAG_PART.search(html, at):
        if part[0] == ">":
            return part.end()
        close = html.find(part[0], part.end())
        if close < 0:
            end = html.find(">", part.end())
            return end + 1 if end >= 0 else len(html)
        at = close + 1
    return len(html)


def _href(attributes: str) -> str:
    found = _HREF.search(attributes)
    return unescape(next((group for group in found.groups() if group), "")) if found else ""


# --- the pieces as text ---------------------------------------------------------------------


class _Reader:
    def __init__(self, url: str) -> None:
        self._base = url
        self._title = ""
        self._in_title = False
        self._silent: list[str] = []
        self._pre = 0
        self._pieces: list[str] = []
        self._link: tuple[int, str] | None = None

    def start(self, tag: str, href: str) -> None:
        """An element begins."""
        if tag == "title":
            self._in_title = not self._title
        if tag in _SILENT:
            self._silent.append(tag)
        if self._silent:
            return
        if tag in _BLOCKS or tag in _LINES:
            self._pieces.append("\n")
        match tag:
            case "pre":
                self._pre += 1
                self._pieces.append("```\n")
            case "li":
                self._pieces.append("- ")
            case "td" | "th":
                self._pieces.append(" | ")
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                self._pieces.append("#" * int(tag[1]) + " ")
            case "a":
                # Links do not nest: one that was not ended is forgotten.
                self._link = len(self._pieces), href
            case _:
                pass

    def end(self, tag: str) -> None:
        """An element ends, begun or not."""
        if tag == "title":
            self._in_title = False
        if tag in _SILENT and tag in self._silent:
            # A page that forgot an inner end tag must not stay silent for ever.
            while self._silent.pop() != tag:
                pass
            return
        if self._silent:
            return
        if tag == "pre" and self._pre:
            self._pre -= 1
            self._pieces.append("\n```\n")
        if tag == "a" and self._link:
            self._end_link(*self._link)
            self._link = None
        if tag in _BLOCKS:
            self._pieces.append("\n")

    def data(self, data: str) -> None:
        """Text, with its character references resolved."""
        if self._in_title:
            self._title += data
        elif self._pre and not self._silent:
            self._pieces.append(data)
        elif not self._silent:
            data = re.sub(r"\s+", " ", data)
            after_blank = not self._pieces or self._pieces[-1][-1:].isspace()
            self._pieces.append(data.removeprefix(" ") if after_blank else data)

    def _end_link(self, start: int, href: str) -> None:
        label = " ".join("".join(self._pieces[start:]).split())
        try:
            url = urljoin(self._base, href.strip())
        except ValueError:
            return
        page = self._base.partition("#")[0]
        wanted = url.startswith(("http://", "https://")) and url.partition("#")[0] != page
        if label and wanted and len(url) <= _LONGEST_LINK and "```" not in label:
            self._pieces[start:] = [f"[{label}]({url})"]

    def text(self) -> str:
        """What was read, no more than one blank line in a row."""
        lines: list[str] = []
        for line in "".join(self._pieces).split("\n"):
            line = line.rstrip()
            if line or (lines and lines[-1]):
                lines.append(line)
        title = " ".join(self._title.split())
        return "\n".join([*([f"title: {title}", ""] if title else []), *lines]).strip()
