"""One corpus from real files of all 22 components of the Pile, through every stage; needs the samples."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pilebuilder.build.run import Build
from pilebuilder.build.verify import verify
from pilebuilder.ledger import Tally
from pilebuilder.recipe import load_recipe
from tests.samples import SAMPLES, needs_samples

# card -> files among the samples
FILES = {
    "pile-cc": ("pile-cc", ["sample-000*.warc.gz", "whirlwind.warc.gz", "test-100.wet", "edge/example-trunc.warc"]),
    "pubmed-central": ("pubmed-central", ["**"]),
    "books3": ("gutenberg/clean-texts", ["1*"]),
    "openwebtext2": ("pile-cc", ["IAH-urls-wget.warc.gz"]),
    "arxiv": ("arxiv", ["*.gz"]),
    "github": ("github", ["**"]),
    "freelaw": ("freelaw", ["opinions*", "court_data.json"]),
    "stackexchange": ("stackexchange", ["**/Posts.xml", "*.7z"]),
    "uspto-backgrounds": ("uspto", ["**"]),
    "pubmed-abstracts": ("pubmed-abstracts", ["**"]),
    "gutenberg": ("gutenberg/raw-texts", ["**"]),
    "opensubtitles": ("opensubtitles", ["**"]),
    "wikipedia-en": ("wikipedia", ["**"]),
    "dm-mathematics": ("dm-mathematics", ["**"]),
    "ubuntu-irc": ("ubuntu-irc", ["20*/**"]),
    "bookcorpus2": ("books", ["**"]),
    "europarl": ("europarl", ["txt/**"]),
    "hackernews": ("hackernews", ["v0/**"]),
    "youtubesubtitles": ("youtube-subtitles", ["**"]),
    "philpapers": ("philpapers", ["**"]),
    "nih-exporter": ("nih-exporter", ["*.zip"]),
    "enron-emails": ("enron-emails", ["maildir/**"]),
}


def write_recipe(folder: Path) -> Path:
    components = [
        {
            "card": card,
            "accept_terms": True,
            "fetch": {
                "local": {"path": str((SAMPLES / place).resolve()), "include": files, "acknowledge_rights": True}
            },
            "expect": {"max_loss": 1.0},
        }
        for card, (place, files) in FILES.items()
    ]
    recipe = {
        "name": "samples",
        "components": components,
        "filter": ["length"],
        "shard": {"count": 3},
        "quarantine": {"share": 1.0, "files": 1000},
    }
    path = folder / "samples.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


@needs_samples
@pytest.mark.slow
def test_one_corpus_from_all_22_components(tmp_path: Path) -> None:
    assert len(FILES) == 22
    build = Build(load_recipe(write_recipe(tmp_path)), tmp_path / "out", workers=2)
    tallies = build.run()
    assert verify(tmp_path / "out") == []
    names = {c.name for c in build.components}
    assert len(names) == 22
    for name in sorted(names):
        assert tallies["read"].of(name).kept > 0, (name, tallies["read"].of(name))
        assert tallies["mix"].of(name).kept > 0, (name, tallies["filter"].of(name), tallies["dedup"].of(name))
    read = Tally.total([m.tally for m in build.manifests("read")])
    assert read["Pile-CC"].quarantined.total() >= 1
    # nothing but what the samples are known to hold in bad shape is in quarantine
    lost = {name: dict(count.quarantined) for name, count in read.items() if count.quarantined}
    assert sum(sum(reasons.values()) for reasons in lost.values()) <= 12, lost
