"""Links of Reddit submissions, and their pages through the index; captions of named videos."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import sys
import tarfile
import types

import pytest
import zstandard

from pilebuilder.fetch import reddit
from pilebuilder.fetch.base import FetchError
from pilebuilder.fetch.clock import FakeClock
from tests.fetch import upstreams
from tests.fetch.support import recipe, run


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("pilebuilder.fetch.web.Clock", FakeClock)


def submission(url, score=1, **more):
    return {"id": "a", "url": url, "score": score, "is_self": False, "subreddit": "s", "title": "t", **more}


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://example.org/a", True),
        ("http://news.example.org/a?x=y.png", True),
        ("https://i.imgur.com/x", False),
        ("https://notimgur.com/x", True),
        ("https://example.org/a.PDF?dl=1", False),
        ("https://en.wikipedia.org/wiki/X", False),
        ("ftp://example.org/a", False),
        ("https://example.org/a b", False),
        ("http://a", False),
        ("http://[bad", False),
        ("", False),
    ],
)
def test_which_links_are_wanted(url, wanted):
    assert reddit.is_wanted(url) is wanted


@pytest.mark.parametrize("suffix", [".zst", ".xz", ".bz2", ""])
def test_dumps_in_every_compression(suffix, tmp_path):
    lines = b"\n".join(json.dumps(submission(f"https://e.org/{i}")).encode() for i in range(500)) + b"\nbroken\n"
    pack = {".zst": _long_window, ".xz": lzma.compress, ".bz2": bz2.compress, "": bytes}[suffix]
    path = tmp_path / f"RS_2011-01{suffix}"
    path.write_bytes(pack(lines))
    found = list(reddit.submissions(path))
    assert len(found) == 501
    assert found[-1] is None
    if suffix:
        for part in (0.3, 0.9):
            path.write_bytes(pack(lines)[: int(len(pack(lines)) * part)])
            with pytest.raises(FetchError, match="truncated"):
                list(reddit.submissions(path))


def _long_window(content: bytes) -> bytes:
    params = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, enable_ldm=True)
    return zstandard.ZstdCompressor(compression_params=params).compress(content) + zstandard.compress(b"")


def test_scores_are_summed_by_address(tmp_path):
    rows = [
        submission("https://e.org/a?x=1&amp;y=2", 2),
        submission("https://e.org/a?x=1&y=2", 1),
        submission("https://e.org/b", 2),
        submission("https://e.org/c", 9, is_self=True),
        submission("https://imgur.com/d", 9),
        submission("https://e.org/e", None),
    ]
    (tmp_path / "RS_2011-01").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "RS_2020-05").write_text(json.dumps(submission("https://e.org/late", 9)))
    counts = reddit.collect(tmp_path, tmp_path / "db", "2005-06", "2020-04")
    assert counts == {"submissions": 6, "broken": 0, "links": 4}
    assert [(u, s, len(f)) for u, s, f in reddit.links(tmp_path / "db", 3)] == [("https://e.org/a?x=1&y=2", 3, 2)]


def test_pages_come_from_the_index(server, tmp_path):
    archive, found = upstreams.pages(4)
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    rows = [submission(url, 5) for url, *_ in found] + [submission("https://gone.example/x", 5)]
    (dumps / "RS_2011-01.zst").write_bytes(zstandard.compress("\n".join(map(json.dumps, rows)).encode()))
    crawl = "CC-MAIN-2020-16"
    server.routes["/index.commoncrawl.org/collinfo.json"] = upstreams.say(upstreams.collections([crawl]))
    server.routes["/data.commoncrawl.org/w.warc.gz"] = upstreams.serve(archive)

    def answer(asked):
        from urllib.parse import parse_qs

        url = parse_qs(asked.query)["url"][0]
        hits = [(o, n) for u, o, n, _ in found if u == url]
        if not hits:
            return asked.reply(404, b'{"message": "No Captures found for: x"}')
        row = {"url": url, "filename": "w.warc.gz", "offset": str(hits[0][0]), "length": str(hits[0][1])}
        line = json.dumps({**row, "status": "200", "mime-detected": "text/html", "timestamp": "2020"})
        return asked.reply(200, f"org,e)/x 2020 {line}\n".encode())

    server.routes[f"/index.commoncrawl.org/{crawl}-index"] = answer
    hosts = {h: f"{server.url}/{h}" for h in ("index.commoncrawl.org", "data.commoncrawl.org")}
    entry = (
        f"{{card: openwebtext2, accept_terms: true, fetch: {{openwebtext: {{dumps: {dumps}, crawls: [{crawl}]}}}}}}"
    )
    plan = recipe(f"name: t\nfetch: {json.dumps({'mirrors': hosts})}\ncomponents: [{entry}]", tmp_path)
    out = run(plan, tmp_path / "out")
    (row,) = out.rows()
    extra = json.loads(row["extra"])
    assert (extra["records"], extra["not_crawled"]) == (4, 1)
    assert {link["score"] for link in extra["links"]} == {5}
    assert out.content(row["name"]) == b"".join(m for *_, m in found)


def test_without_dumps_the_remedy_is_named(server, tmp_path):
    plan = recipe("name: t\ncomponents: [{card: openwebtext2, accept_terms: true}]", tmp_path)
    out = run(plan, tmp_path / "out")
    (row,) = out.quarantine()
    assert row["reason"] == "no_folder"
    assert "torrent" in row["detail"]
    assert server.asked == []


VIDEO = {
    "id": "abcdefghijk",
    "title": "T",
    "license": "Creative Commons Attribution license (reuse allowed)",
    "subtitles": {"live_chat": [{"ext": "json", "url": "x"}]},
}


def fake_yt_dlp(monkeypatch, info, fail=None):
    class YoutubeDL:
        def __init__(self, options):
            assert options["writeautomaticsub"] is False
            assert options["skip_download"] is True

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def extract_info(self, url, download):
            if fail:
                raise RuntimeError(fail)
            return info

    module = types.ModuleType("yt_dlp")
    module.YoutubeDL = YoutubeDL
    monkeypatch.setitem(sys.modules, "yt_dlp", module)


def captions(server, folder):
    hosts = {"www.youtube.com": f"{server.url}/yt"}
    entry = (
        "{card: youtubesubtitles, accept_terms: true, read: jsonl, fetch: {youtube-captions: {ids: [abcdefghijk]}}}"
    )
    plan = recipe(f"name: t\nfetch: {json.dumps({'mirrors': hosts})}\ncomponents: [{entry}]", folder)
    return run(plan, folder / "out")


def test_captions_in_one_tar(server, tmp_path, monkeypatch):
    track = {"ext": "json3", "url": "https://www.youtube.com/api/timedtext?v=x"}
    info = {**VIDEO, "subtitles": {**VIDEO["subtitles"], "en": [{"ext": "srv1", "url": "y"}, track]}}
    fake_yt_dlp(monkeypatch, info)
    server.routes["/yt/api/timedtext"] = upstreams.say(b'{"events": []}')
    out = captions(server, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(out.content("abcdefghijk.tar"))) as archive:
        assert archive.getnames() == ["abcdefghijk.en.json3", "abcdefghijk.info.json"]


@pytest.mark.parametrize(
    ("info", "fail", "reason"),
    [
        ({**VIDEO, "license": None}, None, "licence"),
        (VIDEO, None, "no_captions"),
        (VIDEO, "Sign in to confirm you're not a bot", "rate_limited"),
        (VIDEO, "Video unavailable", "refused"),
    ],
)
def test_videos_that_bring_nothing(info, fail, reason, server, tmp_path, monkeypatch):
    fake_yt_dlp(monkeypatch, info, fail)
    out = captions(server, tmp_path)
    count = out.manifests[-1].tally["YoutubeSubtitles"]
    assert (count.dropped + count.quarantined) == {reason: 1}
    assert out.rows() == []


def test_yt_dlp_is_optional(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    assert captions(server, tmp_path).reasons() == {"abcdefghijk.tar": "not_installed"}
