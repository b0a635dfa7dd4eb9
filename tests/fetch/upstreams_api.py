"""The upstreams of the cards that talk to an interface: Firebase, OAI-PMH, GitHub."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from urllib.parse import parse_qs, unquote

from tests.fetch.server import Asked
from tests.fetch.upstreams import Upstream, noise, say, serve, tarred


def hackernews() -> Upstream:
    stories = {
        1: {"type": "story", "score": 5, "descendants": 3, "kids": [2, 3], "title": "One", "by": "a"},
        2: {"type": "comment", "parent": 1, "text": "first", "kids": [4]},
        3: {"type": "comment", "parent": 1, "deleted": True},
        4: {"type": "comment", "parent": 2, "text": "reply", "kids": [9]},
        5: {"type": "story", "score": 0, "descendants": 1},
        6: {"type": "story", "score": 9, "descendants": 2, "dead": True},
        8: {"type": "job", "score": 9},
    }
    items = {n: {"id": n, **v} for n, v in stories.items()}
    root = "/hacker-news.firebaseio.com/v0/"

    def item(asked: Asked) -> None:
        n = int(unquote(asked.path).rpartition("/")[2].removesuffix(".json"))
        asked.reply(200, json.dumps(items.get(n)).encode(), content_type="application/json")

    lines = "".join(json.dumps(items[n], sort_keys=True) + "\n" for n in (1, 2, 4, 3)).encode()
    return Upstream(
        hosts=["hacker-news.firebaseio.com"],
        routes={f"{root}maxitem.json": say(b"8"), f"{root}item/*": item},
        files={"000000001-000000008.jsonl": lines},
    )


OAI = '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{}</OAI-PMH>'


def oai(records: dict[str, list[str]], page: int = 2) -> Callable[[Asked], None]:
    """An OAI-PMH repository: records by date, in pages, with tokens that go stale once."""
    stale = [True]

    def route(asked: Asked) -> None:
        query = {k: v[0] for k, v in parse_qs(asked.query).items()}
        if query.get("verb") == "Identify":
            return asked.reply(200, OAI.format("<Identify/>").encode())
        token = query.get("resumptionToken", "")
        if token:
            first, last, start = token.split("|")
            if stale[0]:
                stale[0] = False
                error = '<error code="badResumptionToken">The token has expired</error>'
                return asked.reply(200, OAI.format(error).encode())
        else:
            first, last, start = query["from"], query["until"], "0"
        found = [r for d in sorted(records) if first <= d <= last for r in records[d]]
        if not found:
            return asked.reply(200, OAI.format('<error code="noRecordsMatch"/>').encode())
        end = int(start) + page
        more = f"<resumptionToken>{first}|{last}|{end}</resumptionToken>" if end < len(found) else ""
        content = "<ListRecords>" + "".join(found[int(start) : end]) + more + "</ListRecords>"
        return asked.reply(200, OAI.format(content).encode(), content_type="text/xml")

    return route


def arxiv_record(ident: str, licence: str) -> str:
    return (
        f"<record><header><identifier>oai:arXiv.org:{ident}</identifier></header><metadata>"
        f'<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{ident}</id><created>2024-01-02</created>'
        f"<title>T {ident}</title>"
        f"<authors><author><keyname>Doe</keyname><forenames>Jo</forenames></author></authors>"
        f"<categories>cs.CL</categories><license>http://{licence}</license></arXiv></metadata></record>"
    )


def arxiv() -> Upstream:
    by, own = "creativecommons.org/licenses/by/4.0/", "arxiv.org/licenses/nonexclusive-distrib/1.0/"
    records = {
        "2024-01-01": [
            arxiv_record("2401.00001", by),
            arxiv_record("2401.00002", own),
            arxiv_record("2401.00003", by),
        ],
        "2024-01-02": [arxiv_record("math/9901001", "creativecommons.org/publicdomain/zero/1.0/")],
        "2024-01-03": ['<record><header status="deleted"><identifier>x</identifier></header></record>'],
    }
    papers = {i: gzip.compress(noise(i, 300)) for i in ("2401.00001", "2401.00003", "math/9901001")}
    return Upstream(
        hosts=["oaipmh.arxiv.org", "export.arxiv.org"],
        routes={
            "/oaipmh.arxiv.org/oai": oai(records),
            **{f"/export.arxiv.org/e-print/{i}": serve(c) for i, c in papers.items()},
        },
        files={f"{i}.gz": c for i, c in papers.items()},
        recipe="fetch: {oai-papers: {first: 2024-01-01, until: 2024-01-05}}",
    )


def philpapers() -> Upstream:
    def record(n: int) -> str:
        dc = 'xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        title = f"<dc:title>Work {n}</dc:title>"
        return (
            f"<record><header><identifier>oai:philarchive.org/rec/K{n}</identifier></header>"
            f"<metadata><oai_dc:dc {dc}>{title}</oai_dc:dc></metadata></record>"
        )

    records = {"2024-01-10": [record(1), record(2), record(3)], "2024-03-01": [record(4)]}
    return Upstream(
        hosts=["philarchive.org"],
        routes={"/philarchive.org/oai.pl": oai(records)},
        files={"2024-01-01_2024-01-31.xml": b"Work 1", "2024-02-01_2024-03-02.xml": b"Work 4"},
        recipe="fetch: {oai-records: {first: 2024-01-01, until: 2024-03-05}}",
    )


def github() -> Upstream:
    repositories = {
        "a/one": ("MIT", 300), "b/two": ("Apache-2.0", 200), "c/three": ("GPL-3.0", 500), "d/four": (None, 900),
    }  # fmt: skip
    commits = {n: hashlib.sha1(n.encode()).hexdigest() for n in repositories}
    tarballs = {n: tarred({f"{n.replace('/', '-')}-x/a.py": n.encode() * 9}) for n in repositories}
    routes: dict[str, Callable[[Asked], None]] = {}

    def allowed(asked: Asked) -> bool:
        if asked.headers.get("authorization") == "Bearer hush":
            return True
        asked.reply(401, b"{}")
        return False

    def search(asked: Asked) -> None:
        if not allowed(asked):
            return
        query = parse_qs(asked.query)
        span = query["q"][0].split("created:")[1].split("..")
        rows = [
            {
                "full_name": n, "stargazers_count": 150, "size": size, "language": "Python", "default_branch": "main",
                "license": {"spdx_id": licence} if licence else None, "pushed_at": "2024-01-05T00:00:00Z",
            }
            for n, (licence, size) in repositories.items()
        ]  # fmt: skip
        whole = span[0] <= "2020-02-11" <= span[1]
        total = len(rows) if whole and span[0] == span[1] else 1500 if whole else 0
        page = int(query["page"][0])
        asked.reply(200, json.dumps({"total_count": total, "items": rows if total and page == 1 else []}).encode())

    routes["/api.github.com/search/repositories"] = search
    for name, commit in commits.items():
        repo = f"/api.github.com/repos/{name}"
        found = json.dumps({"sha": commit}).encode()
        routes[f"{repo}/commits/main"] = lambda a, found=found: allowed(a) and a.reply(200, found)
        moved = f"/codeload/{name}"
        routes[f"{repo}/tarball/{commit}"] = lambda a, moved=moved: allowed(a) and a.reply(302, location=moved)
        routes[f"/api.github.com{moved}"] = serve(tarballs[name])
    return Upstream(
        hosts=["api.github.com"],
        routes=routes,
        keys={"GITHUB_TOKEN": "hush"},
        files={f"{n}-{commits[n][:7]}.tar.gz": tarballs[n] for n in ("a/one", "b/two")},
        recipe="fetch: {github: {first: 2020-01-01, until: 2020-03-31}}",
    )
