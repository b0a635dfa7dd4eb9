"""The upstreams of the cards on loopback, in their real layouts: ``/<host>/<path>`` stands for ``https://host/path``."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote

from pilebuilder.fetch.warcfile import info, response
from tests.fetch.server import Asked, Server

DATE = "2026-09-20T00:00:00Z"


def noise(name: str, size: int) -> bytes:
    """Bytes that do not compress, the same for the same name."""
    return random.Random(name).randbytes(size)


@dataclass
class Upstream:
    """Routes of one card's hosts, and what a good fetch of it brings."""

    hosts: list[str]
    files: dict[str, bytes]
    """Expected raw files by name."""
    routes: dict[str, Callable[[Asked], None]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    recipe: str = ""
    """Further lines of the recipe's entry."""

    def install(self, server: Server) -> dict[str, str]:
        server.routes.update(self.routes)
        return {host: f"{server.url}/{host}" for host in self.hosts}


def serve(content: bytes, **headers: str) -> Callable[[Asked], None]:
    return lambda asked: asked.file(content, **headers)


def say(content: bytes, status: int = 200, **headers: str) -> Callable[[Asked], None]:
    return lambda asked: asked.reply(status, content, **headers)


def index(names: list[str]) -> bytes:
    """A directory index as Apache makes it, with sort links and a parent."""
    rows = "".join(f'<img alt="[   ]"> <a href="{quote(n)}">{n[:20]}</a>  2026-09-01 10:00  1.0M\n' for n in names)
    return (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN"><html><head><title>Index of /x</title></head><body>'
        '<pre><a href="?C=N;O=D">Name</a> <a href="/parent/">Parent Directory</a><hr>' + rows + "</pre></body></html>"
    ).encode()


def pages(
    count: int, crawl: str = "CC-MAIN-2026-39", **headers: str
) -> tuple[bytes, list[tuple[str, int, int, bytes]]]:
    """A WARC file of pages: its content, and per page its address, offset, length and member."""
    out, found = info(DATE, "x.warc.gz", {"software": "crawler"}), []
    for i in range(count):
        url = f"https://site{i}.example/page"
        body = f"<html><head><title>{i}</title></head><body><p>Page {i} of {crawl}.</p></body></html>".encode()
        extra = {k.replace("_", "-"): v for k, v in headers.items()} if i == 0 else {}
        member = response(DATE, url, "200 OK", {"Content-Type": "text/html", **extra}, body + noise(f"{i}", 300))
        found.append((url, len(out), len(member), member))
        out += member
    return out, found


def collections(crawls: list[str]) -> bytes:
    rows = [{"id": c, "name": c, "cdx-api": f"https://index.commoncrawl.org/{c}-index"} for c in crawls]
    return json.dumps(rows).encode()


def pile_cc() -> Upstream:
    crawl = "CC-MAIN-2026-39"
    paths = [f"crawl-data/{crawl}/segments/1/warc/{crawl}-{i:05}.warc.gz" for i in range(5)]
    archives = {path: pages(6, path)[0] for path in paths}
    root = "/data.commoncrawl.org/"
    return Upstream(
        hosts=["index.commoncrawl.org", "data.commoncrawl.org"],
        routes={
            "/index.commoncrawl.org/collinfo.json": say(collections(["CC-MAIN-2026-43", crawl])),
            f"{root}crawl-data/{crawl}/warc.paths.gz": serve(gzip.compress("\n".join(paths).encode() + b"\n")),
            **{root + path: serve(content) for path, content in archives.items()},
        },
        files=archives,
        recipe="fetch: {common-crawl: {piece: 65536}}",
    )


def pubmed_central() -> Upstream:
    root = "/pmc-oa-opendata.s3.amazonaws.com/"
    codes = {1: "CC BY", 2: "CC BY-NC", 3: "CC0", 4: None, 5: "CC BY", 6: "CC BY"}
    files, routes, rows = {}, {}, []
    for n, code in codes.items():
        for version in (1, 2) if n == 3 else (1,):
            stem = f"PMC{n}.{version}"
            xml = f"<article><front>{stem}</front><body><p>{'Text. ' * 200}</p></body></article>".encode()
            md5 = hashlib.md5(xml).hexdigest()
            facts = {
                "pmcid": f"PMC{n}", "version": version, "license_code": code, "is_retracted": n == 5,
                "is_historical_ocr": n == 6, "title": f"Article {n}",
                "xml_url": f"s3://pmc-oa-opendata/{stem}/{stem}.xml?md5={md5}",
            }  # fmt: skip
            routes[f"{root}metadata/{stem}.json"] = serve(json.dumps(facts).encode())
            routes[f"{root}{stem}/{stem}.xml"] = serve(xml)
            rows.append(f'"pmc-oa-opendata","metadata/{stem}.json","2026-09-01T00:00:00.000Z","{md5}"')
            if n in (1, 3):
                files[f"{stem}.xml"] = xml
    del files["PMC3.1.xml"]
    shard = gzip.compress("\n".join(rows).encode())
    folder = "inventory-reports/pmc-oa-opendata/metadata/"
    md5 = hashlib.md5(shard).hexdigest()
    manifest = {
        "fileFormat": "CSV", "fileSchema": "Bucket, Key, LastModifiedDate, ETag",
        "files": [{"key": f"{folder}data/a.csv.gz", "size": len(shard), "MD5checksum": md5}],
    }  # fmt: skip
    routes[f"{root}{folder}data/a.csv.gz"] = serve(shard)
    newest = f"{folder}2026-09-02T01-00Z/manifest.json"
    routes[root + newest] = say(json.dumps(manifest).encode())
    routes[root] = bucket({f"{folder}2026-09-01T01-00Z/manifest.json": b"{}", newest: b"{}"})
    return Upstream(hosts=["pmc-oa-opendata.s3.amazonaws.com"], files=files, routes=routes)


def bucket(objects: dict[str, bytes], page: int = 1000) -> Callable[[Asked], None]:
    """A ListObjectsV2 answer in pages."""

    def route(asked: Asked) -> None:
        query = parse_qs(asked.query)
        prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        keys = [k for k in sorted(objects) if k.startswith(prefix) and k > after]
        shown = keys[:page]
        rows = "".join(
            f"<Contents><Key>{k}</Key><LastModified>2026-07-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{hashlib.md5(objects[k]).hexdigest()}-9"</ETag><Size>{len(objects[k])}</Size></Contents>'
            for k in shown
        )
        more = len(keys) > len(shown)
        token = f"<NextContinuationToken>{shown[-1]}</NextContinuationToken>" if more else ""
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        )
        asked.reply(200, xml.encode(), content_type="application/xml")

    return route


def freelaw() -> Upstream:
    csv = '"id","plain_text"\n' + "".join(f'"{i}","{noise(str(i), 90).hex()}"\n' for i in range(40))
    opinions = bz2.compress(csv.encode())
    dates = ("2026-03-31", "2026-06-30")
    objects = {f"bulk-data/opinions-{d}.csv.bz2": opinions for d in dates}
    objects |= {f"bulk-data/{t}-{d}.csv.bz2": b"BZh9" for t in ("dockets", "opinion-clusters") for d in dates}
    return Upstream(
        hosts=["com-courtlistener-storage.s3-us-west-2.amazonaws.com", "storage.courtlistener.com"],
        routes={
            "/com-courtlistener-storage.s3-us-west-2.amazonaws.com/": bucket(objects, page=2),
            "/storage.courtlistener.com/bulk-data/opinions-2026-06-30.csv.bz2": serve(opinions),
        },
        files={"bulk-data/opinions-2026-06-30.csv.bz2": opinions},
    )


def stackexchange() -> Upstream:
    item = "stackexchange_20260630"
    magic = b"7z\xbc\xaf\x27\x1c"
    sites = {f"{s}.stackexchange.com.7z": magic + noise(s, 900) for s in ("coffee", "french.meta", "beer")}
    rows = [
        {"name": n, "size": str(len(c)), "md5": hashlib.md5(c).hexdigest(), "sha1": hashlib.sha1(c).hexdigest()}
        for n, c in sites.items()
    ]
    rows.append({"name": f"{item}_meta.xml", "size": "10", "sha1": "0" * 40})
    return Upstream(
        hosts=["archive.org"],
        routes={
            f"/archive.org/metadata/{item}": say(json.dumps({"files": rows, "server": "ia"}).encode()),
            **{f"/archive.org/download/{item}/{n}": serve(c) for n, c in sites.items()},
        },
        files=sites,
    )


def uspto(elsewhere: Server) -> Upstream:
    """The file address needs the key and redirects to a signed address on another host, which must not see it."""
    archives = {f"ipg26{m:02}07.zip": zipped({"a.xml": noise(str(m), 500)}) for m in (1, 2)}
    base = "https://api.uspto.gov/api/v1/datasets/products/files/PTGRXML/2026/"
    bag = [{"fileName": n, "fileSize": len(c), "fileDownloadURI": base + n} for n, c in archives.items()]
    listing = {"bulkDataProductBag": [{"productFileBag": {"fileDataBag": bag}}]}

    def keyed(answer: Callable[[Asked], None]) -> Callable[[Asked], None]:
        return lambda a: answer(a) if a.headers.get("x-api-key") == "hush" else a.reply(401, b"{}")

    routes = {"/api.uspto.gov/api/v1/datasets/products/PTGRXML": keyed(say(json.dumps(listing).encode()))}
    for name, content in archives.items():
        signed = f"{elsewhere.url}/signed/{name}?Signature=x"
        routes[f"/api.uspto.gov/api/v1/datasets/products/files/PTGRXML/2026/{name}"] = keyed(
            lambda a, signed=signed: a.reply(302, location=signed)
        )
        elsewhere.routes[f"/signed/{name}"] = serve(content)
    return Upstream(hosts=["api.uspto.gov"], files=archives, routes=routes, keys={"USPTO_API_KEY": "hush"})


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def pubmed_abstracts() -> Upstream:
    files = {f"pubmed26n{n:04}.xml.gz": gzip.compress(noise(str(n), 400)) for n in (1, 2, 3)}
    folder = "/ftp.ncbi.nlm.nih.gov/pubmed/baseline/"
    routes = {folder: say(index(["README.txt", *(f"{n}{s}" for n in files for s in ("", ".md5"))]))}
    for name, content in files.items():
        routes[folder + name] = serve(content)
        routes[f"{folder}{name}.md5"] = say(f"MD5({name})= {hashlib.md5(content).hexdigest()}\n".encode())
    return Upstream(hosts=["ftp.ncbi.nlm.nih.gov"], files=files, routes=routes)


def gutenberg() -> Upstream:
    books = {f"train/{n}.txt": f"Book {n}.\n".encode() * 20 for n in (10, 100, 1000, 9999)}

    def listing(asked: Asked) -> None:
        start = int(parse_qs(asked.query).get("pageToken", ["0"])[0])
        assert parse_qs(asked.query)["prefix"] == ["train/"]
        names = sorted(books)[start : start + 3]
        digest = {n: base64.b64encode(hashlib.md5(books[n]).digest()).decode() for n in names}
        rows = [{"name": n, "size": str(len(books[n])), "md5Hash": digest[n]} for n in names]
        more = {"nextPageToken": str(start + 3)} if start + 3 < len(books) else {}
        asked.reply(200, json.dumps({"items": rows, **more}).encode())

    return Upstream(
        hosts=["storage.googleapis.com"],
        routes={
            "/storage.googleapis.com/storage/v1/b/deepmind-gutenberg/o": listing,
            **{f"/storage.googleapis.com/deepmind-gutenberg/{n}": serve(c) for n, c in books.items()},
        },
        files=books,
    )


def opensubtitles() -> Upstream:
    members = {f"OpenSubtitles/raw/en/2000/{i}/{i}.xml": b"<document>" + noise(str(i), 300) for i in range(120)}
    content = zipped({"README": b"x" * 100, **members, "LICENSE": b"y"})
    return Upstream(
        hosts=["object.pouta.csc.fi"],
        routes={"/object.pouta.csc.fi/OPUS-OpenSubtitles/v2018/raw/en.zip": serve(content)},
        files={"en.zip": content, **members},
    )


def wikipedia_en() -> Upstream:
    root = "/dumps.wikimedia.org/other/mediawiki_content_current/enwiki/"
    folders = {d: f"{root}{d}/xml/bzip2/" for d in ("2026-07-01", "2026-08-01", "2026-09-01")}
    routes: dict[str, Callable[[Asked], None]] = {root: say(index([f"{d}/" for d in folders] + ["readme.html"]))}
    expected: dict[str, bytes] = {}
    for date, folder in folders.items():
        files = {f"enwiki-{date}-p{n}p{n + 99}.xml.bz2": bz2.compress(noise(f"{date}{n}", 400)) for n in (1, 100, 200)}
        complete = date != "2026-09-01"  # the newest export is still being written
        sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in files.items())
        routes[f"{root}{date}/"] = say(index(["xml/"]))
        routes[f"{root}{date}/xml/"] = say(index(["bzip2/"]))
        routes[folder] = say(index([*files, *(["SHA256SUMS"] if complete else [])]))
        routes[f"{folder}SHA256SUMS"] = say(sums.encode())
        routes |= {folder + n: serve(c) for n, c in files.items()}
        if date == "2026-08-01":
            expected = files
    return Upstream(hosts=["dumps.wikimedia.org"], files=expected, routes=routes)


def ubuntu_irc() -> Upstream:
    root = "/irclogs.ubuntu.com/"
    days = {"2004/07/05": ["#ubuntu.txt"], "2004/07/06": ["#ubuntu.txt", "#c++.txt", "#ubuntu.html"]}
    routes: dict[str, Callable[[Asked], None]] = {f"{root}robots.txt": say(b"User-agent: *\nDisallow: /private/\n")}
    files = {}
    for day, names in days.items():
        routes[f"{root}{day}/"] = say(index(names))
        for name in names:
            content = f"[00:01] <a> {day} {name}\n".encode()
            routes[f"{root}{day}/{quote(name)}"] = serve(content)
            if name.endswith(".txt"):
                files[f"{day}/{name}"] = content
    # robots.txt is asked for at the site itself, wherever the mirror's folder lies
    routes["/robots.txt"] = routes[f"{root}robots.txt"]
    return Upstream(
        hosts=["irclogs.ubuntu.com"], routes=routes, files=files,
        recipe="fetch: {daily-index: {first: 2004-07-05, until: 2004-07-08}}",
    )  # fmt: skip


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def europarl() -> Upstream:
    content = tarred({"txt/en/ep-96-04-15.txt": b"<CHAPTER ID=1>\nx\n"})
    return Upstream(
        hosts=["www.statmt.org"],
        routes={"/www.statmt.org/europarl/v7/europarl.tgz": serve(content)},
        files={"europarl.tgz": content},
    )


def enron_emails() -> Upstream:
    content = tarred({"maildir/a/inbox/1.": b"Message-ID: <1>\n\nHi\n"})
    digest = hashlib.sha256(content).hexdigest()
    return Upstream(
        hosts=["www.cs.cmu.edu"],
        routes={"/www.cs.cmu.edu/~enron/enron_mail_20150507.tar.gz": serve(content)},
        files={"enron_mail_20150507.tar.gz": content},
        recipe=f"fetch: {{http: {{bytes: {len(content)}, digest: 'sha256:{digest}'}}}}",
    )


def dm_mathematics_released() -> Upstream:
    content = tarred({"mathematics_dataset-v1.0/train-easy/algebra__linear_1d.txt": b"Solve x = 1 for x.\n1\n"})
    digest = hashlib.sha256(content).hexdigest()
    return Upstream(
        hosts=["storage.googleapis.com"],
        routes={"/storage.googleapis.com/mathematics-dataset/mathematics_dataset-v1.0.tar.gz": serve(content)},
        files={"mathematics_dataset-v1.0.tar.gz": content},
        recipe=f"fetch: {{http: {{digest: 'sha256:{digest}'}}}}",
    )


def nih_exporter() -> Upstream:
    files = {f"abstracts/{y}.zip": zipped({f"RePORTER_PRJABS_C_FY{y}.csv": b'"A","B"\n'}) for y in (2014, 2015)}
    root = "/reporter.nih.gov/exporter/abstracts/download/"
    return Upstream(
        hosts=["reporter.nih.gov"],
        routes={f"{root}{y}": serve(files[f"abstracts/{y}.zip"]) for y in (2014, 2015)},
        files=files,
        recipe="fetch: {http: {each: {table: abstracts, year: 2014..2015}}}",
    )  # fmt: skip
