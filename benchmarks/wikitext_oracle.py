"""The same text and anchors by another parser, mwparserfromhell: an independent reading of the mark-up, 10 times as slow.

What a link is and which templates are kept comes from the code under test; how the mark-up nests does not.
"""

import mwparserfromhell as mw
from mwparserfromhell import nodes

from fairseq_xling_preprocess.wiki.wikitext import kept_templates
from fairseq_xling_preprocess.wiki.wikitext.site import Kind, Site
from fairseq_xling_preprocess.wiki.wikitext.structure import BLOCKS, DROPPED


class Oracle:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.anchors: list[tuple[str, str]] = []

    def parse(self, wikitext: str) -> tuple[str, list[tuple[str, str]]]:
        """The text, and for each link what it shows and the title that it leads to."""
        self.anchors = []
        return self._text(mw.parse(wikitext)), self.anchors

    def _text(self, code) -> str:
        return "".join(self._node(node) for node in code.nodes) if code else ""

    def _node(self, node) -> str:
        if isinstance(node, nodes.Text):
            return node.value
        if isinstance(node, nodes.HTMLEntity):
            return node.normalize()
        if isinstance(node, nodes.Heading):
            return self._text(node.title)
        if isinstance(node, nodes.ExternalLink):
            return (self._text(node.title) if node.title else "") if node.brackets else str(node.url)
        if isinstance(node, nodes.Wikilink):
            return self._link(node)
        if isinstance(node, nodes.Template):
            return self._template(node)
        if isinstance(node, nodes.Tag):
            return self._tag(node)
        return ""  # comments, parameters

    def _link(self, node) -> str:
        kind, link = self.site.resolve(str(node.title))
        if kind in (Kind.FILE, Kind.HIDDEN):
            return ""
        index = len(self.anchors)
        if link is not None:
            self.anchors.append(("", link.title))
        shown = self._text(node.text) if node.text is not None else str(node.title).strip().removeprefix(":")
        if link is not None:
            self.anchors[index] = (" ".join(shown.split()), link.title)
        return shown

    def _template(self, node) -> str:
        name = str(node.name).replace("_", " ").strip().lower()
        if not kept_templates.is_kept(name):
            return ""
        named = {str(part.name).strip().lower(): str(part.value) for part in node.params if part.showkey}
        shown = kept_templates.text_of(name, [str(part.value) for part in node.params if not part.showkey], named)
        return self._text(mw.parse(shown))

    def _tag(self, node) -> str:
        name = str(node.tag).strip().lower()
        if name in DROPPED or name == "table" or "display:none" in "".join(map(str, node.attributes)).replace(" ", ""):
            return ""
        inside = str(node.contents or "") if name in ("nowiki", "pre") else self._text(node.contents)
        return f"\n{inside}\n" if name in BLOCKS else inside
