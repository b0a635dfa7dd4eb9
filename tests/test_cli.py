"""The command line as a person meets it: help, messages, exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from pilebuilder.build.lockfile import RunLock
from pilebuilder.cli import app

HEAVY = ("numpy", "pyarrow", "numba", "ray", "datasets", "fasttext", "torch", "pydantic")
TINY = """\
name: tiny
components:
  - name: T
    fetch: {{local: {{path: {0}}}}}
    read: jsonl
clean: []
filter: []
"""


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pilebuilder", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **environment},
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    rows = [{"text": f"Document {i}. " + "A few words of its own. " * (i % 7 + 3) + str(i)} for i in range(40)]
    (data / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(TINY.format(data))
    return recipe


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = f"import sys; from pilebuilder import cli; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []
    )
    run("--help")
    started = time.monotonic()
    done = run("--help")
    # ten times the promise: this is a check for a lost lazy import, not a measurement
    assert time.monotonic() - started < 5
    assert "pilebuilder build quickstart" in done.stdout


def test_every_verb_has_help_with_an_example() -> None:
    verbs = []
    for name, verb in typer.main.get_command(app).commands.items():
        verbs += [(name, inner) for inner in verb.commands] if hasattr(verb, "commands") else [(name,)]
    assert ("sources", "list") in verbs
    assert ("build",) in verbs
    for verb in verbs:
        done = run(*verb, "--help")
        assert done.returncode == 0, verb
        assert re.search(rf"pilebuilder {' '.join(verb)}", done.stdout), (verb, done.stdout)
        assert "Example" in done.stdout, verb


def test_a_pipe_gets_one_json_line_per_event(tiny: Path, tmp_path: Path) -> None:
    done = run("build", tiny, "-o", tmp_path / "out", "-w", 1)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "stage"
    assert events[-1]["event"] == "done"
    assert events[-1]["read"] == 40
    assert {e["stage"] for e in events if e["event"] == "stage_done"} >= {"read", "filter", "dedup", "tokenize"}


def test_a_recipe_with_a_typo_is_usage(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(tiny.read_text().replace("filter:", "fliter:"))
    done = run("build", tiny, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "tiny.yaml:7: unknown key 'fliter' (did you mean 'filter'?)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "no-such-recipe"], "no recipe is named 'no-such-recipe'"),
        (["dedup", "missing.jsonl", "-o", "x"], "missing.jsonl"),
        (["build", "--executor", "spark", "quickstart"], "give local or ray"),
        (["why", "abc", "."], "too short"),
        (["verify", "."], "build the corpus first"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_in_use_is_exit_code_4(tiny: Path, tmp_path: Path) -> None:
    with RunLock(tmp_path / "out"):
        done = run("build", tiny, "-o", tmp_path / "out")
    assert done.returncode == 4
    assert f"in use by another run (process {os.getpid()} " in done.stderr


def test_quarantine_above_the_limit_is_exit_code_3_and_the_rest_is_built(tiny: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "b.jsonl").write_text('{"text": "cut off\n')
    done = run("build", tiny, "-o", tmp_path / "out", "-w", 1)
    assert done.returncode == 3, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["quarantined"] == 1
    assert "T: 1 in quarantine" in last["quarantine_above_limit"][0]
    assert run("verify", tmp_path / "out").returncode == 0


def test_a_wiped_out_component_stops_the_build_and_names_the_rule(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(tiny.read_text().replace("filter: []", "filter: [{length: {min_chars: 100000}}]"))
    done = run("build", tiny, "-o", tmp_path / "out", "-w", 1)
    assert done.returncode == 1
    assert "filter removed 100.0% of component 'T'" in done.stderr
    assert "length.min_chars" in done.stderr
    assert "max_loss" in done.stderr


def test_a_full_disk_is_exit_code_5_and_the_same_command_goes_on(tiny: Path, tmp_path: Path) -> None:
    """A limit on file size stands in for a full disk: the n-th byte cannot be written."""
    out = tmp_path / "out"
    full = (
        "import errno, pilebuilder.build.store as s, sys\n"
        "from pilebuilder.cli import main\n"
        "def no_space(*_): raise OSError(errno.ENOSPC, 'No space left on device', 'corpus.lock')\n"
        "s.link = no_space\n"
        "import pilebuilder.build.publish as p; p.link = no_space\n"
        f"sys.argv = ['pilebuilder', 'build', {str(tiny)!r}, '-o', {str(out)!r}, '-w', '1']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", full], capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert "no space left" in done.stderr
    assert not (out / "corpus.lock").exists()
    assert run("build", tiny, "-o", out, "-w", 1).returncode == 0
    assert run("verify", out).returncode == 0


def test_a_stage_runs_alone_on_files(tiny: Path, tmp_path: Path) -> None:
    source = tmp_path / "data" / "a.jsonl"
    source.write_text(source.read_text() * 2)
    done = run("dedup", source, "-o", tmp_path / "deduped", "-w", 1)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["merged"] >= 40
    assert list((tmp_path / "deduped" / "train").glob("*.jsonl.zst"))
    assert (tmp_path / "deduped" / "recipe.yaml").exists()


def test_text_under_another_key(tiny: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "data" / "a.jsonl", tmp_path / "out"
    source.write_text(source.read_text().replace('"text"', '"body"'))
    (tmp_path / "b.csv").write_text("body,n\nsome words that are here,1\n")
    assert run("read", source, "-o", out, "-w", 1).returncode == 3
    lost = run("browse", out, "--action", "quarantined", "-n", 1)
    assert "no_text (no string under 'text'; the other keys are: body)" in lost.stdout
    done = run("read", source, tmp_path / "b.csv", "-o", out, "-w", 1, "--text", "body")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["read"] == 41
    assert "read: {jsonl: {text: NAME}}" in run("build", tiny, "--text", "body").stderr
    (tmp_path / "c.txt").write_text("whole")
    assert "takes its text from the whole file" in run("read", tmp_path / "c.txt", "-o", out, "--text", "a").stderr


def test_status_plan_sources_and_doctor_answer(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "depends on the stage before" in run("plan", tiny, "-o", out).stdout
    assert "no build here" in run("status", out).stdout
    assert run("build", tiny, "-o", out, "-w", 1).returncode == 0
    assert "finished" in run("status", out).stdout
    listed = run("sources", "list")
    assert "dm-mathematics" in listed.stdout
    assert "Licence         Apache-2.0" in run("sources", "show", "dm-mathematics").stdout
    assert "fasttext module" in run("doctor").stdout
    schema = json.loads(run("recipe", "schema").stdout)
    assert {"components", "filter", "dedup"} <= set(schema["properties"])
    assert "min_chars" in run("recipe", "check", "quickstart").stdout


def test_trace_train_tokenizer_and_report_diff_work_on_a_build(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("build", tiny, "-o", out, "-w", 1).returncode == 0
    told = run("trace", out / "tokens" / "train_00", "--offset", 0).stdout
    found = re.search(r"document +([0-9a-f]{32})", told)
    assert found
    assert "the one asked for is its token 0" in told
    assert found[1] in run("trace", out, "--id", found[1]).stdout
    assert run("trace", out).returncode == 2
    learnt = run("train-tokenizer", out, "--vocab-size", 512, "-o", tmp_path / "tokenizer.json")
    assert learnt.returncode == 0, learnt.stderr
    assert json.loads((tmp_path / "tokenizer.json").read_text())["model"]["type"] == "BPE"
    compared = run("report", "diff", out, out, "-o", tmp_path / "diff")
    assert compared.returncode == 0, compared.stderr
    assert (tmp_path / "diff" / "index.html").exists()


def test_models_are_listed_checked_and_have_cards() -> None:
    listed = run("models", "list").stdout
    for name in ("lid.176", "toxicity"):
        assert name in listed
        assert len(run("models", "card", name).stdout) > 500
    assert "as recorded" in run("models", "check").stdout
    assert run("models", "card", "lid").returncode == 2


def test_the_audit_tries_every_rule_and_drops_nothing(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(tiny.read_text().replace("filter: []", "filter: [{length: {min_chars: 120}}, gopher-quality]"))
    out = tmp_path / "out"
    done = run("filter", tiny, "--audit", "-o", out, "-w", 1)
    assert done.returncode == 0, done.stderr
    rows = json.loads((out / "audit" / "audit.json").read_text())
    assert "length.min_chars" in json.dumps(rows)
    assert "gopher-quality.min_words" in json.dumps(rows)
    assert (out / "audit" / "audit.html").stat().st_size > 1000
    assert not (out / "work" / "filter").exists()
    assert "gopher-quality" in run("rules").stdout


def test_the_store_is_shown_and_collected(tmp_path: Path) -> None:
    held = tmp_path / "store" / "objects" / "ab" / ("ab" + "0" * 62)
    held.parent.mkdir(parents=True)
    held.write_bytes(b"raw" * 1000)
    assert "1 raw files, 2.9 KiB" in run("store", "--store", tmp_path / "store").stdout
    assert "removed 0 raw files" in run("store", "--collect", PILEBUILDER_STORE=str(tmp_path / "store")).stdout
    old = time.time() - 40 * 86400
    os.utime(held, (old, old))
    done = run("store", "--collect", "--unused-days", 0, "--store", tmp_path / "store")
    assert "removed 1 raw files" in done.stdout
    assert not held.exists()


def test_a_card_of_ones_own_is_written_and_built(tmp_path: Path) -> None:
    folder = tmp_path / "minutes"
    folder.mkdir()
    (folder / "may.md").write_text("# May\n\nThe council met and spoke of the bridge.\n" * 5)
    card = tmp_path / "minutes.yaml"
    done = run("sources", "add", "Town Minutes", folder, "-o", card, "--licence", "CC0-1.0")
    assert done.returncode == 0, done.stderr
    assert f"card: {card}" in done.stdout
    assert "CC0-1.0" in run("sources", "show", card).stdout
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"name: r\ncomponents: [{{card: {card}}}]\nfilter: []\nmix: {{val: 0, test: 0}}\ntokenize: null\n"
    )
    done = run("shard", recipe, "-o", tmp_path / "out", "-w", 1)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["read"] == 1
    again = run("sources", "add", "Town Minutes", folder, "-o", card)
    assert again.returncode == 2
    assert "exists" in again.stderr
    assert (
        "no reader goes by" in run("sources", "add", "X", "https://a.example/x.zip", "-o", tmp_path / "x.yaml").stderr
    )
