"""The fetch stage and its fetchers, one per kind of upstream."""

PARTS = {
    "commoncrawl": ("common-crawl",),
    "days": ("daily-index",),
    "generated": ("generate-mathematics",),
    "github": ("github",),
    "hackernews": ("hacker-news",),
    "harvests": ("oai-records", "oai-papers"),
    "http": ("http",),
    "installed": ("generate-python-docs", "generate-catalogues"),
    "local": ("local",),
    "openwebtext": ("openwebtext",),
    "pmc": ("pmc",),
    "s3": ("s3",),
    "youtube": ("youtube-captions",),
    "zipmembers": ("zip-members",),
}
"""Names of the fetchers that each module registers when it is imported."""
