"""Readers: raw files to documents, one module per format. Importing this registers the stage and every reader."""

from pilebuilder.read import (  # noqa: F401
    gutenberg,
    jats,
    jsonl,
    mathematics,
    mediawiki,
    pubmed,
    source_code,
    stackexchange,
    stage,
    text,
    warc,
)
