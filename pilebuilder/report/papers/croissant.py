"""Croissant metadata (JSON-LD, MLCommons): versions 1.0 and 1.1, with the responsible-AI vocabulary."""

from __future__ import annotations

from typing import Any, Literal

from pilebuilder.report.cells import visible
from pilebuilder.report.facts import Facts
from pilebuilder.report.papers.evidence import Evidence
from pilebuilder.report.papers.hub import META_TYPES, SPLIT_NAMES, meta_fields, pattern
from pilebuilder.report.sections.losses import by_reason, losses
from pilebuilder.report.sections.samples import drawn

Version = Literal["1.0", "1.1"]
RAI = "http://mlcommons.org/croissant/RAI/1.0"
UNKNOWN = "NOT ANSWERED"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
EXAMPLES = 3
"""Documents whose beginnings a description shows."""
SPLIT_TYPES = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}


def describe(facts: Facts, version: Version, date: str) -> dict[str, Any]:
    """The whole description. `date` is the day of the latest source, since a build records no time of its own."""
    corpus = facts.corpus
    found = Evidence(facts)
    url = f"https://huggingface.co/datasets/{facts.config['repository']}" if facts.config.get("repository") else ""
    context = CONTEXT | ({"sdVersion": "cr:sdVersion", "annotation": "cr:annotation"} if version == "1.1" else {})
    result: dict[str, Any] = {
        "@context": context,
        "@type": "sc:Dataset",
        "conformsTo": [f"http://mlcommons.org/croissant/{version}", RAI],
        "name": corpus["name"],
        "description": corpus["description"] or corpus["title"] or f"The corpus {corpus['name']}.",
        "license": facts.config.get("licence") or "see NOTICE: components differ",
        "url": url or "https://example.org/not-published",
        "creator": {"@type": "Organization", "name": corpus["maintainer"] or UNKNOWN},
        "datePublished": date,
        "version": semantic(corpus["version"]),
        "keywords": ["text", "pretraining", "language modeling"],
        "inLanguage": [code for code, _ in found.languages()],
        "citeAs": "; ".join(s.card["citation"] for s in facts.sources if s.card.get("citation")) or UNKNOWN,
        "isLiveDataset": False,
        "distribution": distribution(facts, version),
        "recordSet": record_sets(facts, version),
        **rai(facts, found),
    }
    if version == "1.1":
        result["sdVersion"] = corpus["version"]
        result["prov:wasDerivedFrom"] = [
            {"@id": s.card.get("homepage") or f"#{s.slug}", "prov:label": s.name} for s in facts.sources
        ]
        if corpus["maintainer"]:
            result["prov:wasAttributedTo"] = {"@type": "prov:Organization", "prov:label": corpus["maintainer"]}
        result["prov:wasGeneratedBy"] = [
            {"@type": "prov:Activity", "@id": f"#{stage}", "prov:label": f"pilebuilder {corpus['tool']}: {stage}"}
            for stage in facts.stages
        ]
    return result


def semantic(version: str) -> str:
    """A version of three numbers: what is missing is 0."""
    parts = [p if p.isdigit() else "0" for p in version.split(".")][:3]
    return ".".join(parts + ["0"] * (3 - len(parts)))


def distribution(facts: Facts, version: Version) -> list[dict[str, Any]]:
    """A FileObject for every shard, and a FileSet for each split."""
    files: list[dict[str, Any]] = [
        {
            "@type": "cr:FileObject",
            "@id": shard["name"],
            "name": shard["name"],
            "contentUrl": shard["name"],
            "contentSize": f"{shard['bytes']} B",
            "encodingFormat": formats(shard["name"], version),
            "sha256": shard["sha256"],
        }
        for shard in facts.shards
    ]
    for split in _splits(facts):
        names = [s["name"] for s in facts.shards if s["split"] == split]
        files.append(
            {
                "@type": "cr:FileSet",
                "@id": f"split-{split}",
                "name": f"split-{split}",
                "containedIn": [{"@id": n} for n in names],
                "encodingFormat": formats(names[0], version),
                # A star in front: readers match the pattern against the path under which they hold the file.
                "includes": "*" + pattern(names),
            }
        )
    return files


def formats(name: str, version: Version) -> str | list[str]:
    """Media types of a shard, by its name; version 1.0 has room for one, that of the content.

    >>> formats("val.jsonl.zst", "1.1"), formats("train/00.parquet", "1.0")
    (['application/zstd', 'application/jsonlines'], 'application/x-parquet')
    """
    content = "application/x-parquet" if name.endswith(".parquet") else "application/jsonlines"
    packed = {".zst": "application/zstd", ".gz": "application/gzip"}
    found = [*(kind for ending, kind in packed.items() if name.endswith(ending)), content]
    return content if version == "1.0" else found


def _splits(facts: Facts) -> list[str]:
    return [s for s in SPLIT_TYPES if any(shard["split"] == s for shard in facts.shards)]


def record_sets(facts: Facts, version: Version) -> list[dict[str, Any]]:
    """The splits, and the documents of each split."""
    rows = [{"splits/name": s, "splits/url": SPLIT_TYPES[s]} for s in _splits(facts)]
    made: list[dict[str, Any]] = [
        {
            "@type": "cr:RecordSet",
            "@id": "splits",
            "name": "splits",
            "dataType": "cr:Split",
            "key": {"@id": "splits/name"},
            "field": [
                {"@type": "cr:Field", "@id": "splits/name", "dataType": "sc:Text"},
                {"@type": "cr:Field", "@id": "splits/url", "dataType": "sc:URL"},
            ],
            "data": rows,
        }
    ]
    for split in _splits(facts):
        here = f"documents-{split}"
        fields = [_field(here, "text", "sc:Text", split)]
        fields += [_field(here, name, META_TYPES.get(name, "sc:Text"), split, "meta") for name in meta_fields(facts)]
        fields.append(_split_field(here, split))
        record: dict[str, Any] = {
            "@type": "cr:RecordSet",
            "@id": here,
            "name": here,
            "description": f"One document per line: the {SPLIT_NAMES[split]} split.",
            "field": fields,
        }
        if version == "1.1":
            record["annotation"] = statistics(facts, here, split)
        if shown := examples(facts, here) if split == _splits(facts)[-1] else []:
            record["examples"] = shown
        made.append(record)
    return made


def statistics(facts: Facts, record: str, split: str) -> list[dict[str, Any]]:
    """Documents and bytes of text of a split, and the mean over them, as fields with a value."""
    own = [s for s in facts.shards if s["split"] == split]
    n, size = sum(s["documents"] or 0 for s in own), sum(s["text_bytes"] or 0 for s in own)
    values: dict[str, int | float] = {"count": n, "sum-of-text-bytes": size}
    if n:
        values["mean-of-text-bytes"] = round(size / n, 2)
    return [
        {
            "@type": "cr:Field",
            "@id": f"{record}/{name}",
            "name": name,
            "dataType": "sc:Integer" if isinstance(value, int) else "sc:Float",
            "value": value,
        }
        for name, value in values.items()
    ]


def examples(facts: Facts, record: str) -> list[dict[str, str]]:
    """Beginnings of drawn documents, personal data masked."""
    found = [(name, text) for name in facts.names for text in drawn(facts, name)[:1]]
    return [{f"{record}/text": visible(text.text), f"{record}/pile_set_name": name} for name, text in found[:EXAMPLES]]


def _split_field(record: str, split: str) -> dict[str, Any]:
    """The split that a document is in, read off the path of its shard."""
    source = {
        "fileSet": {"@id": f"split-{split}"},
        "extract": {"fileProperty": "fullpath"},
        "transform": {"regex": f"({split})(?:/[^/]+|\\.[^/]+)$"},
    }
    return {
        "@type": "cr:Field",
        "@id": f"{record}/split",
        "name": "split",
        "dataType": "sc:Text",
        "source": source,
        "references": {"field": {"@id": "splits/name"}},
    }


def _field(record: str, name: str, kind: str, split: str, parent: str = "") -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": f"split-{split}"}, "extract": {"column": parent or name}}
    if parent:
        source["transform"] = {"jsonPath": f"$.{name}"}
    return {"@type": "cr:Field", "@id": f"{record}/{name}", "name": name, "dataType": kind, "source": source}


def rai(facts: Facts, found: Evidence) -> dict[str, Any]:
    """Responsible-AI properties: from the build, or a person's words, or the plain statement that nobody wrote any."""
    reasons = [f"{stage}: {reason}, {n:,} documents" for stage, _, reason, n in by_reason(losses(facts))[:20]]
    return {
        "rai:dataCollection": found.collection(),
        "rai:dataCollectionType": found.collection_types(),
        "rai:dataCollectionMissingData": found.missing(),
        "rai:dataCollectionRawData": found.raw_data(),
        "rai:dataCollectionTimeframe": found.timeframe(),
        "rai:dataPreprocessingProtocol": found.preprocessing(),
        "rai:dataManipulationProtocol": reasons or ["none"],
        "rai:dataImputationProtocol": "none",
        "rai:dataAnnotationProtocol": "not annotated by people",
        "rai:machineAnnotationTools": found.models(),
        "rai:personalSensitiveInformation": [found.person(19) or f"{UNKNOWN}; {found.personal()}"],
        "rai:dataBiases": [found.person(42) or UNKNOWN],
        "rai:dataLimitations": [found.person(13) or UNKNOWN],
        "rai:dataSocialImpact": found.person(33) or UNKNOWN,
        "rai:dataUseCases": [found.person(41) or UNKNOWN],
        "rai:dataReleaseMaintenancePlan": found.person(55) or UNKNOWN,
    }
