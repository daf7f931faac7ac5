"""Holds served alerts against the CAP 1.2 schema and two readers that nobody here wrote."""

import copy
import pathlib
import sys

import capparser
import feedparser
from lxml import etree

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


def main(forms: pathlib.Path, schema_file: pathlib.Path) -> None:
    schema = etree.XMLSchema(etree.parse(str(schema_file)))
    files = sorted(forms.glob("*.xml"))
    assert len(files) >= 5, files
    seen = {}
    kinds = set()
    for file in files:
        document = etree.parse(str(file))
        schema.assertValid(document)
        root = document.getroot()
        text = lambda name: root.findtext(CAP + name)  # noqa: E731
        # The judge must be able to say no.
        for name in ("identifier", "status", "msgType", "scope", "info"):
            broken = copy.deepcopy(root)
            element = broken.find(CAP + name)
            broken.remove(element)
            if name != "info":  # the only one of these that the schema leaves out at will
                assert not schema.validate(broken), f"a message without {name} is taken"
        read = capparser.parse(filePath=str(file))
        assert read.getIdentifier() == text("identifier") == file.stem
        assert read.getSender() == text("sender")
        kinds.add((text("msgType"), text("status")))
        for reference in (text("references") or "").split():
            sender, identifier, sent = reference.split(",")
            assert sender == text("sender") and sent < text("sent"), reference
            # What was taken back is not shown any more; it was identified all the same.
            if text("msgType") != "Cancel":
                assert seen[identifier] == (sender, sent), f"{file.name} refers to {reference}"
        seen[text("identifier")] = (text("sender"), text("sent"))
        assert root.findtext(f"{CAP}info/{CAP}area/{CAP}geocode/{CAP}value"), file
        print(f"VALID  {file.name}: {text('msgType')}, {text('status')}")
    wanted = {("Alert", "Actual"), ("Update", "Actual"), ("Cancel", "Actual"), ("Alert", "Exercise")}
    assert wanted <= kinds, kinds

    feed = feedparser.parse((forms / "feed.atom").read_bytes())
    assert not feed.bozo, feed.bozo_exception
    assert feed.version == "atom10" and feed.feed.title and feed.feed.id and feed.feed.updated_parsed
    ids = [entry.id for entry in feed.entries]
    assert len(set(ids)) == len(ids) == len(files), ids
    order = [entry.updated_parsed for entry in feed.entries]
    assert order == sorted(order, reverse=True), order
    for entry in feed.entries:
        assert entry.title and entry.summary and entry.links[0].type == "application/cap+xml"
        assert (forms / entry.links[0].href.rsplit("/", 1)[1]).exists(), entry.links
    print(f"VALID  feed.atom: {len(ids)} entries")


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
