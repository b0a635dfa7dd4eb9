"""Subtitles and captions: every form gives the same speech, and no file vanishes."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from pilebuilder.read.base import Quarantined, Record, Skipped
from pilebuilder.read.cues import Cue, cues, spoken, unrolled
from tests.read.drive import items
from tests.samples import SAMPLES, needs_samples

OPUS = b"""<?xml version="1.0" encoding="utf-8"?>
<document id="7">
  <s id="1"><time id="T1S" value="00:00:01,000" />- [door] Who is it?<time id="T1E" value="00:00:02,000" /></s>
  <s id="2"><w id="2.1">It</w> <w id="2.2">is</w> <w id="2.3">I</w><w id="2.4">.</w></s>
  <s id="3">Subtitles by nobody</s>
  <meta><subtitle><language>English</language><confidence>1.0</confidence></subtitle>
  <source><year>1999</year><genre>Drama</genre></source></meta>
</document>"""
ENTITY = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><transcript>&x;</transcript>'
SRT = "1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Hello</i> there.\r\n\r\n"
SRT += "2\r\n00:00:03,000 --> 00:00:04,500\r\n{\\an8}Bye\r\n"
VTT = "WEBVTT\nKind: captions\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>Hello there.\n\n"
VTT += "00:03.000 --> 00:04.500\nBye\n"
TIMED = '<?xml version="1.0"?><transcript><text start="1" dur="1">Hello &amp;amp; there.</text></transcript>'
JSON3 = {
    "events": [{"tStartMs": 1000, "dDurationMs": 1000, "segs": [{"utf8": "Hello"}, {"utf8": " there."}]}, {"id": 1}]
}


def one(reader: str, folder: Path, name: str, data: bytes, **params: object) -> object:
    path = folder / Path(name).name
    path.write_bytes(data)
    (item,) = items(reader, path, name, **params)
    return item


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_opus_clean_and_pile(tmp_path: Path) -> None:
    name = "raw/en/1999/123/7.xml"
    clean = one("opensubtitles", tmp_path, name, OPUS)
    assert isinstance(clean, Record)
    assert clean.text == "Who is it?\nIt is I."
    assert clean.key == "opensub:123/7"
    assert clean.meta["imdb"] == "123"
    assert (clean.meta["year"], clean.meta["genre"], clean.meta["confidence"]) == (1999, "Drama", 1.0)
    pile = one("opensubtitles", tmp_path, name, OPUS, style="pile")
    assert isinstance(pile, Record)
    assert pile.text == '"[door] Who is it?" "It is I." "Subtitles by nobody"'


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<confidence>1.0", b"<confidence>0.5", "confidence"),
        (b"<language>", b"<machine_translated>1</machine_translated><language>", "machine_translated"),
        (b"document", b"linkGrp", "service_file"),
    ],
)
def test_opus_files_left_out_by_rule(tmp_path: Path, old: bytes, new: bytes, reason: str) -> None:
    item = one("opensubtitles", tmp_path, "en/1999/123/7.xml", OPUS.replace(old, new))
    assert isinstance(item, Skipped)
    assert item.reason == reason


def test_an_opus_zip_is_read_member_by_member_and_one_bad_file_costs_itself(tmp_path: Path) -> None:
    members = {
        "en/1999/1/1.xml": OPUS,
        "en/1999/1/2.xml": OPUS[:200],
        "README": b"about",
        "en/0/4294967295/3.xml": OPUS,
    }
    path = tmp_path / "en.zip"
    path.write_bytes(zipped(**members))
    found = items("opensubtitles", path)
    assert [type(i) for i in found] == [Record, Quarantined, Skipped, Record]
    assert found[1].reason == "truncated"
    assert "imdb" not in found[3].meta


@pytest.mark.parametrize("cut", range(20, len(OPUS) - 1, len(OPUS) // 20))
def test_a_cut_opus_file_is_noticed(tmp_path: Path, cut: int) -> None:
    item = one("opensubtitles", tmp_path, "en/1999/123/7.xml", OPUS[:cut])
    assert isinstance(item, Quarantined)
    assert item.reason == ("truncated" if cut > 40 else "wrong_format")  # too little to tell what it was


def test_all_forms_hold_the_same_cues() -> None:
    expected = [Cue(1.0, 1.0, "Hello there."), Cue(3.0, 1.5, "Bye")]
    for name, text in (("a.srt", SRT), ("a.vtt", VTT)):
        found = cues(text.encode(), name)
        assert [(c.start, c.duration) for c in found] == [(c.start, c.duration) for c in expected]
    assert cues(TIMED.encode(), "a.xml") == [Cue(1.0, 1.0, "Hello & there.")]
    assert cues(json.dumps(JSON3).encode(), "a.json3") == [Cue(1.0, 1.0, "Hello there.")]


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.en.srt", SRT), ("a.en.vtt", VTT), ("a.en.json3", json.dumps(JSON3)), ("x [abcdefghijk].en.srt", SRT)],
)
def test_captions_become_running_text(tmp_path: Path, name: str, data: str) -> None:
    item = one("youtube", tmp_path, name, data.encode())
    assert isinstance(item, Record)
    assert item.text.startswith("Hello there.")
    assert item.meta["language"] == "en"
    assert item.key == ("yt:abcdefghijk:en" if "abc" in name else name)


def test_rolling_captions_are_said_once() -> None:
    rolling = [
        Cue(0, 2, "so this"),
        Cue(1, 2, "so this is how"),
        Cue(2, 2, "so this is how\nit works"),
        Cue(4, 2, "it works\nevery time"),
    ]
    assert " ".join(c.text.replace("\n", " ") for c in unrolled(rolling)) == "so this is how it works every time"


def test_automatic_tracks_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    data = b"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nso<00:00:00.500><c> this</c>\n"
    item = one("youtube", tmp_path, "a.en.vtt", data)
    assert isinstance(item, Skipped)
    assert item.reason == "automatic"
    kept = one("youtube", tmp_path, "a.en.vtt", data, automatic=True)
    assert isinstance(kept, Record)
    assert kept.text == "so this"


@pytest.mark.parametrize(
    ("name", "data", "kind", "reason"),
    [
        ("a.info.json", b"{}", Skipped, "metadata"),
        ("a.live_chat.json", b"{}", Skipped, "live_chat"),
        ("a.en.vtt", b"WEBVTT\n\n", Skipped, "no_text"),
        ("a.en.vtt", b"<!DOCTYPE html><html>404</html>", Quarantined, "wrong_format"),
        ("a.en.srt", b"just words", Quarantined, "wrong_format"),
        ("a.en.json3", json.dumps(JSON3).encode()[:40], Quarantined, "truncated"),
        ("a.en.xml", ENTITY, Quarantined, None),
    ],
)  # fmt: skip
def test_what_is_no_track_is_counted(tmp_path: Path, name: str, data: bytes, kind: type, reason: str | None) -> None:
    item = one("youtube", tmp_path, name, data)
    assert type(item) is kind
    assert reason is None or item.reason == reason  # type: ignore[attr-defined]


def test_another_licence_is_left_out(tmp_path: Path) -> None:
    item = one("youtube", tmp_path, "a.en.srt", SRT.encode(), facts={"licence": "Standard YouTube License"})
    assert isinstance(item, Skipped)
    assert item.reason == "licence"


@pytest.mark.parametrize("line", ["♪", "Synced by bravo", "www.addic7ed.com", "(applause)"])
def test_what_nobody_says_goes(line: str) -> None:
    assert spoken(line) == ""


@needs_samples
def test_samples_hold_the_stated_cues_and_sentences() -> None:
    folder = SAMPLES / "youtube-subtitles"
    expected = {
        "elephantsdream.en.vtt": 78,
        "elephantsdream.ja.vtt": 77,
        "elephantsdream.ru.vtt": 84,
        "transcript.xml": 4,
    }
    expected |= {"Karaoke.ytt": 594, "Ruby.ytt": 5, "TextDirection.ytt": 21, "ytt.ytt": 53}
    for name, count in expected.items():
        assert len(cues((folder / name).read_bytes(), name)) == count, name
    for name, count in {"auto_detect_Danish.srt": 301, "auto_detect_Russian.srt": 183, "sintel_en.srt": 26}.items():
        assert len(cues((SAMPLES / "opensubtitles" / name).read_bytes(), name)) == count, name
    for path in sorted((SAMPLES / "opensubtitles/OpenSubtitles/xml").glob("*/2001/*/*.xml.gz")):
        (item,) = items("opensubtitles", path, path.relative_to(SAMPLES).as_posix())
        assert isinstance(item, Record)
        assert item.meta["sentences"] == 150
