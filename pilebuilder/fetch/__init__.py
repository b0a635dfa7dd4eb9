"""The fetch stage and its fetchers, one per kind of upstream. Importing this registers them and opens nothing."""

from pilebuilder.fetch import (  # noqa: F401
    commoncrawl,
    days,
    generated,
    github,
    hackernews,
    harvests,
    http,
    installed,
    local,
    openwebtext,
    pmc,
    s3,
    stage,
    youtube,
    zipmembers,
)
