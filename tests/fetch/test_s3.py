"""S3 through a real S3-speaking server: requester-pays with a manifest, and a plain listing."""

from __future__ import annotations

import hashlib
import json
import random

import pytest

from pilebuilder.fetch.clock import FakeClock
from pilebuilder.fetch.connect import ALLOW_PRIVATE
from tests.fetch.support import recipe, run

pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")

TARS = {f"src/arXiv_src_2001_00{n}.tar": random.Random(n).randbytes(70_000) for n in (1, 2, 3)}


@pytest.fixture
def s3(monkeypatch):
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setattr("pilebuilder.fetch.web.Clock", FakeClock)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv(ALLOW_PRIVATE, f"{host}:{port}")
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="arxiv")
    entries = ""
    for key, content in TARS.items():
        client.put_object(Bucket="arxiv", Key=key, Body=content)
        md5 = hashlib.md5(content).hexdigest()
        entries += f"<file><filename>{key}</filename><size>{len(content)}</size><md5sum>{md5}</md5sum></file>"
    manifest = f'<?xml version="1.0"?><arXivSRC>{entries}</arXivSRC>'
    client.put_object(Bucket="arxiv", Key="src/arXiv_src_manifest.xml", Body=manifest.encode())
    yield {"arxiv.s3.us-east-1.amazonaws.com": f"http://{host}:{port}/arxiv"}
    server.stop()


def made(mirrors, folder, more="", take=""):
    fetch = json.dumps({"mirrors": mirrors})
    entry = f"card: arxiv-bulk\n    accept_terms: true\n    read: jsonl\n    {more}\n    {take}"
    return recipe(f"name: t\nfetch: {fetch}\ncomponents:\n  - {entry}\n", folder)


def test_requester_pays_with_a_manifest(s3, tmp_path):
    out = run(made(s3, tmp_path), tmp_path / "out")
    assert out.reasons() == {}
    assert {n: out.content(n) for n in out.names()} == TARS
    assert {row["date"] for row in out.rows()} == {"2001"}
    files = [p for folder in ("out", "store") for p in (tmp_path / folder).rglob("*") if p.is_file()]
    assert not any(b"canary-secret" in p.read_bytes() for p in files)


def test_a_plain_listing(s3, tmp_path):
    out = run(made(s3, tmp_path, 'fetch: {s3: {manifest: ""}}'), tmp_path / "out")
    assert {n: out.content(n) for n in out.names()} == TARS


def test_a_budget_takes_the_beginning(s3, tmp_path, monkeypatch):
    monkeypatch.setattr("pilebuilder.fetch.select.LEAST_PART", 1000)
    out = run(made(s3, tmp_path, take="take: 20 KB"), tmp_path / "out")
    (row,) = out.rows()
    assert out.content(row["name"]) == TARS[row["name"]][:20_000]
    assert json.loads(row["extra"])["partial"] is True


def test_no_account_is_named(s3, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    out = run(made(s3, tmp_path), tmp_path / "out")
    assert out.reasons() == {"(listing)": "no_credential"}


def test_requests_are_signed_for_their_bucket(s3):
    from pilebuilder.fetch.s3 import signer

    headers = signer("us-east-1", True)("GET", "https://arxiv.s3.us-east-1.amazonaws.com/src/x.tar")
    assert headers["x-amz-request-payer"] == "requester"
    assert "AKIDTEST" in headers["Authorization"]
    assert "canary-secret" not in str(headers)
