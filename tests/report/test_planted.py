"""Corpora with known answers: what the measures must find, and what they must not be misled by."""

import json
import random

import pyarrow as pa
import pytest

from pilebuilder.partition import write_table
from pilebuilder.report import plan
from pilebuilder.report.counters import Counters
from pilebuilder.report.measures.personal import find, mask
from pilebuilder.report.measures.texts import Texts
from pilebuilder.report.sampled.draw import draw
from tests.report.made import Bench, artifact, table

WORDS = [
    "the",
    "house",
    "river",
    "stone",
    "walks",
    "under",
    "bright",
    "morning",
    "sky",
    "where",
    "people",
    "often",
    "talk",
    "about",
    "small",
    "things",
]


def texts(*values):
    return Texts(pa.table({"text": pa.array(values, pa.large_string())}))


def sentence(rng, n=9):
    return " ".join(rng.choice(WORDS) for _ in range(n))


def counted(bench, made, component="a"):
    return Counters.read([bench.root / bench.profile(made, component).path])


def sample(bench, values, component="a", languages=None):
    """A component's sample."""
    made = draw(table(component, values, languages), 1, 1.0)
    path = bench.root / f"sample-{bench.runs}.parquet"
    bench.runs += 1
    write_table(made, path)
    return artifact(path, "sample", bench.root, component=component, documents=made.num_rows, text_bytes=1)


def test_a_language_mix_of_90_to_10_is_measured(tmp_path):
    bench = Bench(tmp_path)
    labels = ["en"] * 900 + ["de"] * 100
    held = counted(bench, table("a", ["a text that is long enough to be judged"] * 1000, labels))
    assert held.get("language.documents", "de") == 100
    assert held.get("language.documents", "en") == 900


PLANTED = {
    "email": [f"write to person.{i}@mail{i}.example.org now" for i in range(200)],
    "phone": [f"call ({200 + i % 700}) 555-{1000 + i} today" for i in range(200)],
    "ipv4": [f"host {1 + i % 220}.{i % 256}.{(7 * i) % 256}.{(3 * i) % 256} answered" for i in range(200)],
}
LOOKALIKES = {
    "email": [
        *(f"@decorator{i} and user{i}@host without a dot" for i in range(100)),
        *(f"a @ b.example{i}" for i in range(100)),
    ],
    "phone": [
        *(f"ISBN 978-0-{300 + i}-55512-3456 or isbn: 415 555 {1000 + i}" for i in range(60)),
        *(f"part no. 123-456-{7000 + i}" for i in range(70)),
        *(f"see http://example.org/x 415-555-{2000 + i}" for i in range(70)),
    ],
    "ipv4": [
        *(f"version {i}.2.3.4.5 is out" for i in range(70)),
        *(f"section 300.{i}.1.2 applies" for i in range(70)),
        *(f"doi 10.1.2.{i}" for i in range(60)),
    ],
}


@pytest.mark.parametrize("kind", PLANTED)
def test_personal_data_is_found_and_lookalikes_are_not(kind):
    hits = {row for name, row, _, _ in find(texts(*PLANTED[kind], *LOOKALIKES[kind])) if name == kind}
    true = len([r for r in hits if r < 200])
    assert true >= 198
    assert true / len(hits) >= 0.95


def test_mojibake_and_runs_of_one_character_are_signals(tmp_path):
    rng = random.Random(2)
    plain = [sentence(rng, 30) + "." for _ in range(200)]
    made = [t + " Caf\u00c3\u00a9 and na\u00c3\u00afve." if i % 4 == 0 else t for i, t in enumerate(plain)]
    made[1] += " " + "=" * 70
    held = counted(Bench(tmp_path), table("a", made))
    assert held.get("rule.failed", "mojibake") == 50
    assert held.distribution("signal mojibake").total == 100
    assert held.distribution("signal longest_run").most == 70
    share = held.distribution("signal punctuation_fraction")
    assert share.most == round(1000 * 71 / len(made[1]))
    signs = sum(round(1000 * sum(not c.isalnum() and not c.isspace() for c in t) / len(t)) for t in made)
    assert held.distribution("signal non_alphanumeric_fraction").total == signs


def test_samples_show_no_personal_data():
    key = "ghp_" + "a1B2" * 9
    shown = mask(f"Mail jo@example.org, +1 (415) 555-2671, 10.0.0.1, 4111 1111 1111 1111, {key}.")
    assert "jo@" not in shown
    assert "2671" not in shown
    assert "10.0.0.1" not in shown
    assert "4111" not in shown
    assert "ghp_" not in shown
    assert shown.startswith("Mail <e-mail address>, +1 (<telephone number>")


@pytest.fixture(scope="module")
def biased(tmp_path_factory):
    """Sentences in which "clever" comes with he four times as often as with she, and "kind" with both alike."""
    rng, lines = random.Random(3), []
    for i in range(1500):
        pronoun = "He" if i % 2 else "She"
        lines.append(f"{pronoun} is a person and {sentence(rng)}.")
    lines += ["He was clever and people saw it in the morning."] * 400
    lines += ["She was clever and people saw it in the morning."] * 100
    lines += ["He was kind and people saw it often."] * 200 + ["She was kind and people saw it often."] * 200
    rng.shuffle(lines)
    bench = Bench(tmp_path_factory.mktemp("bias"))
    documents = ["\n\n".join(lines[i : i + 10]) for i in range(0, len(lines), 10)]
    task = plan.task("bias", "sampled.bias:measure", [sample(bench, documents)], terms="pile", toxicity="none", seed=1)
    made = bench.run(task)
    found = json.loads((bench.root / made["000-bias.json"].path).read_text())
    from pilebuilder.partition import read_table

    return found, read_table(bench.root / made["000-words.parquet"].path)


def test_a_planted_word_ranks_first_with_the_right_sign(biased):
    from pilebuilder.report.facts import Facts
    from pilebuilder.report.sections.biased import associations, pooled

    found, words = biased
    facts = Facts(corpus={}, sources=(), stages={}, bias={"a": found}, bias_words={"a": words})
    tied = associations(facts, pooled(facts), "he", ["she"])
    assert tied[0].text == "clever"
    assert tied[0].z > 3.3
    assert associations(facts, pooled(facts), "she", ["he"])[-1].text == "clever"
    kind = next(w for w in tied if w.text == "kind")
    assert abs(kind.z) < 3.3


def test_a_pronoun_at_the_start_of_a_sentence_counts(biased):
    found, _ = biased
    assert found["groups"]["he"]["sentences"] >= 0.98 * (750 + 400 + 200)
    assert found["groups"]["all"]["sentences"] == found["sentences"]


def test_terms_are_whole_words_in_any_case():
    import numpy as np

    from pilebuilder.kernels import terms, wordbreak
    from pilebuilder.report.sampled import groups

    known = groups.flat("wimbd")
    lookup = terms.table([w for _, _, w in known])

    def named(text):
        data = np.frombuffer(text.encode(), np.uint8)
        spans, hashes = np.empty((len(data) + 1, 2), np.int64), np.empty(len(data) + 1, np.uint64)
        n = wordbreak.segment(data, 0, len(data), wordbreak.properties(), wordbreak.lower_table(), True, spans, hashes)
        found = np.zeros(1, np.uint64)
        terms.mark(hashes[:n], np.array([0, n]), *lookup, np.zeros(n, np.uint64), found)
        return {g for i, (_, g, _) in enumerate(known) if int(found[0]) >> i & 1}

    assert named("A Caucasian wall") == set()
    assert named("MUSLIMS and a Muslim") == {"Muslim"}
    assert named("He said") == {"he"}
    assert named("the shed") == set()
    assert named("Black people and white, people") == {"Black"}
    assert named("an Asian city") == {"Asian"}


def test_two_vocabularies_without_common_words_are_far_apart(tmp_path):
    bench, rng = Bench(tmp_path), random.Random(1)
    made = []
    for name, letters in (("left", "abcde"), ("right", "vwxyz")):
        vocabulary = ["".join(rng.choice(letters) for _ in range(6)) for _ in range(300)]
        documents = [" ".join(rng.choice(vocabulary) for _ in range(120)) for _ in range(90)]
        held = bench.run(plan.task("words", "sampled.topics:words", [sample(bench, documents, name)]))
        made.append(held["000-words.parquet"])
    coded = list(bench.run(plan.task("d", "sampled.topics:dictionary", made)).values())
    task = plan.task("topics", "sampled.topics:model", coded, components=["left", "right"], seed=5)
    for model in bench.run(task).values():
        fit, own = json.loads((bench.root / model.path).read_text())["fit"], model.facts["component"]
        assert all(fit[other]["nats"] - fit[own]["nats"] > 1 for other in fit if other != own)
        assert len(fit) == 2


def test_benchmark_items_in_training_are_all_found(tmp_path):
    bench, rng = Bench(tmp_path), random.Random(2)
    unique = [f"q{i}" for i in range(200)]
    items = [{"q": f"{sentence(rng, 12)} {unique[i]} {sentence(rng, 5)}", "a": f"answer {i}"} for i in range(200)]
    # The first hundred are in training, half of them at the very end of a document; the rest only in part.
    documents = [
        f"{sentence(rng, 30)} {item['a']} {sentence(rng, 4)}  {item['q'].upper() if i % 3 == 0 else item['q']}"
        + ("" if i % 2 else f" {sentence(rng, 20)}")
        for i, item in enumerate(items[:100])
    ]
    documents += [f"{item['a']} {sentence(rng, 40)}" for item in items[100:]]
    path = tmp_path / "bench.jsonl"
    path.write_text("\n".join(map(json.dumps, items)))
    benchmark = artifact(path, "benchmark", tmp_path, name="made", fields=["q", "a"])
    index = bench.run(plan.task("index", "overlap:index", [benchmark]))
    known = [index["items.parquet"], index["grams.npy"]]
    partition = bench.partition(table("a", documents), "a")
    scan = bench.run(plan.task("scan", "overlap:scan", [*known, partition]))["scan.json"]
    from pilebuilder.partition import read_table
    from pilebuilder.report.overlap import summary

    (held,) = summary(read_table(tmp_path / known[0].path), json.loads((tmp_path / scan.path).read_text()))
    assert (held["items"], held["whole"], held["several"]) == (200, 100, 200)
    assert held["any"] == 100


def test_a_gram_at_the_very_end_of_a_document_is_found():
    import numpy as np

    from pilebuilder.kernels.gramset import GramSet, grams

    words = [f"w{i}" for i in range(13)]
    known, counts = grams(*_buffers([" ".join(words)]), 13)
    assert counts.tolist() == [1]
    hits, pairs = GramSet(known, 13).search(*_buffers(["x " * 50 + " ".join(words), "w0 w1"]), 5)
    assert hits.tolist() == [1]
    assert np.array_equal(pairs, [[0, 0]])


def _buffers(values):
    made = texts(*values)
    return made.data, made.offsets


def test_odd_documents_are_measured_without_a_crash(tmp_path):
    bench = Bench(tmp_path)
    odd = [
        "   \n\t ",
        "no sentence end",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 " * 200,
        "",
        "x" * 10_000_000,
    ]
    held = counted(bench, table("a", odd, ["und"] * len(odd)))
    assert held.get("documents") == 5
    assert held.get("empty") == 1
    assert held.get("blank") == 2
    made = bench.run(
        plan.task("b", "sampled.bias:measure", [sample(bench, odd)], terms="pile", toxicity="none", seed=1)
    )
    assert json.loads((tmp_path / made["000-bias.json"].path).read_text())["documents"] == 5


def test_a_cut_sample_never_divides_a_character():
    from pilebuilder.report.ledgers import beginning

    text = "\U0001f468\u200d\U0001f469 e\u0301 " * 100
    shown = beginning(text)
    assert shown["cut"]
    assert len(shown["text"].encode()) <= 512
    assert text.startswith(shown["text"])
