"""Which tasks make a report, in which order. Chains of tasks that do not wait for each other advance together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilebuilder.report.chains import Chain, merge_rounds, task, together
from pilebuilder.report.pieces import BATCH, by_component, joined, outputs, text_bytes
from pilebuilder.task import Artifact, Phases, Task, View, batches

if TYPE_CHECKING:
    from pilebuilder.report.stage import Config

LEDGER_BYTES = 32 << 20
"""Ledger files that one task reads, in compressed bytes."""
LEDGER_STAGES = ("fetch", "read", "clean", "filter", "dedup", "mix")
SEARCHED_DOCUMENTS = 2_000_000
"""Documents whose ids one task searches for texts that the report shows."""
TESTED = 20_000
"""Test documents that are looked for in training, at most."""
MODELLED = 12 << 20
"""Bytes of training text from which the byte model draws what it learns."""
REMOVAL_BYTES = 96 << 20
"""Text of each component as read that the removal measure looks at, at most."""
REPEATS = 50_000
"""Texts, and addresses, of each component that are compared, about."""
SAMPLED = 4 << 20
"""Bytes of samples that one task of the costly measures has at least, where there are so many."""
TRAINED_AT_ONCE = 3_000
"""Documents of topic models that one task trains; a small model costs less than loading the library."""
TABLES = ("domains", "repeats")


class Plan:
    """The chains of one report."""

    def __init__(self, view: View, config: Config) -> None:
        self.view, self.config = view, config
        self.seed = view.recipe.seed
        self.partitions = view.partitions()
        self.removals = {a.facts["partition"]: a for a in view.artifacts("dedup", "removal")}
        # by the partition that they were measured on; one that dedup cut spans out of has none
        passed = [a for stage in ("clean", "filter") for a in view.artifacts(stage, "measures")]
        self.measures = {a.facts["partition"]: [a] for a in passed}
        self.clusters = [a for a in view.artifacts("dedup", "clusters") if a.facts["clusters"]]

    def run(self) -> Phases:
        """All chains, then the pages."""
        found = yield from together(
            {
                "full-pass": self.full_pass(),
                "ledger": self.ledger(),
                "removal": self.removal(),
                "tokens": self.tokens(),
                "overlap": self.overlap(),
                "contamination": self.contamination(),
                "quality": self.quality(),
                "opt-outs": self.opt_outs(),
            }
        )
        yield [self.pages([a for name in sorted(found) for a in found[name]])]

    def quality(self) -> Chain:
        """Scores of the quality classifier, of documents kept and dropped."""
        from pilebuilder.report import quality

        signals = quality.signals_of(self.view)
        found = yield [
            task(f"quality/{i:05}", "quality:count", files, signals=signals)
            for i, files in enumerate(quality.inputs_of(self.view, signals))
        ]
        return outputs(found, "quality-scores")

    def opt_outs(self) -> Chain:
        """Opt-out signals that the fetch recorded."""
        inventories = self.view.artifacts("fetch", "inventory")
        found = yield [task("opt-outs", "optouts:count", inventories)] if inventories else []
        return outputs(found, "opt-outs")

    def survivors(self, partition: Artifact) -> list[Artifact]:
        """A partition and its removal list, if dedup made one."""
        removal = self.removals.get(partition.sha256)
        return [partition, removal] if removal else [partition]

    def full_pass(self) -> Chain:
        """Full-pass measures and samples of every partition; then the merged measures and what the samples tell."""
        parts = joined([[*self.survivors(p), *self.measures.get(p.sha256, [])] for p in self.partitions])
        found = yield [
            task(f"scan/{i:05}", "measure:scan", inputs, seed=self.seed, shares=self.shares(inputs))
            for i, inputs in enumerate(parts)
        ]
        kinds = ("profile", *TABLES)
        samples = outputs(found, "sample")
        chains = {"merge": merge_rounds("merge", "measure:merge", kinds, found), "bias": self.bias(samples)}
        if self.config.topics and samples:
            chains["topics"] = self.topics(samples)
        if samples and second_identifier():
            chains["agreement"] = self.agreement(samples)
        if samples and not self.view.artifacts("tokenize", "tokens"):
            chains["tokens"] = self.sampled_tokens(samples)
        results = yield from together(chains)
        return [a for name in sorted(results) for a in results[name]]

    def agreement(self, samples: list[Artifact]) -> Chain:
        """What a second language identifier says of the samples; its version decides the numbers."""
        found = yield [
            task(f"agreement/{i:05}", "sampled.agreement:count", inputs, second=second_identifier())
            for i, inputs in enumerate(joined(list(by_component(samples).values()), SAMPLED))
        ]
        return outputs(found, "agreement")

    def sampled_tokens(self, samples: list[Artifact]) -> Chain:
        """Tokens of the samples, where no token files count them."""
        found = yield [
            task(f"sampled-tokens/{i:05}", "sampled.tokens:count", inputs, seed=self.seed)
            for i, inputs in enumerate(joined(list(by_component(samples).values()), SAMPLED))
        ]
        return outputs(found, "sampled-tokens", "token-counts")

    def shares(self, inputs: list[Artifact]) -> dict[str, dict[str, float]]:
        """Of each component in these inputs: the shares of documents in the sample, and of texts that are compared."""
        held = {}
        for name in by_component(a for a in inputs if a.kind == "partition"):
            own = [p for p in self.partitions if p.facts["component"] == name]
            documents, text = sum(int(p.facts["documents"]) for p in own), sum(map(text_bytes, own))
            sizes = self.config.sample
            share = min(1.0, sizes.documents / max(1, documents), sizes.text / max(1, text))
            held[name] = {"sample": share, "repeats": min(1.0, REPEATS / max(1, documents))}
        return held

    def tokens(self) -> Chain:
        """Tokens per document, from the token files."""
        from pathlib import Path

        shards: dict[str, list[Artifact]] = {}
        for artifact in self.view.artifacts("tokenize", "tokens"):
            if Path(artifact.path).suffix in (".idx", ".docs", ".json"):
                shards.setdefault(artifact.facts["shard"], []).append(artifact)
        parts = batches(list(shards.values()), BATCH, lambda files: sum(a.bytes for a in files))
        found = yield [
            task(f"tokens/{i:05}", "measures.tokens:count", [a for files in part for a in files])
            for i, part in enumerate(parts)
        ]
        return (yield from merge_rounds("tokens-merge", "measures.tokens:merge", ("token-counts",), found))

    def overlap(self) -> Chain:
        """Test documents and benchmark items that occur in training."""
        drawn = [m for m in self.view.manifests("mix") if m.name.startswith("draw/")]
        ledgers = (
            [m.of("ledger") for m in drawn] if len(drawn) == len(self.partitions) else [[] for _ in self.partitions]
        )
        tested = [m.facts.get("splits", {}).get("test", {}).get("documents", 0) for m in drawn]
        told = bool(getattr(self.view, "from_files", False))  # files tell the split, where no mix drew it
        tested += [p.facts["documents"] for p in self.partitions if told and p.facts.get("split") == "test"]
        share = min(1.0, TESTED / max(1, sum(tested)))
        train = min(1.0, MODELLED / max(1, sum(map(text_bytes, self.partitions)))) if sum(tested) else 0.0
        parts = [
            ([*self.survivors(p), *ledger], bool(ledger) or told)
            for p, ledger in zip(self.partitions, ledgers, strict=True)
        ]
        tested_parts = joined([group for group, drawn in parts if drawn])
        held = yield [
            task(f"overlap-held/{i:05}", "overlap:hold", inputs, seed=self.seed, share=share, train=train)
            for i, inputs in enumerate(tested_parts)
        ]
        tested_texts = [m.of("overlap-held") for m in held if m.of("overlap-held")]
        known_texts = outputs(held, "overlap-train")
        wanted = [*(a for texts in tested_texts for a in texts), *benchmarks(self.view, self.config)]
        if not wanted:
            return []
        modelled = [[*known_texts, *(a for texts in tested_texts for a in texts)]] if known_texts else []
        indexed, *packed = yield [
            task("overlap-index", "overlap:index", wanted),
            *(task(f"compressed/{i:05}", "compressed:count", texts) for i, texts in enumerate(tested_texts)),
            *(task("byte-model", "bytemodel:count", texts, seed=self.seed) for texts in modelled),
        ]
        known = [*indexed.of("overlap-items"), *indexed.of("overlap-grams")]
        found = yield [
            task(f"overlap/{i:05}", "overlap:scan", [*known, *inputs])
            for i, inputs in enumerate(joined([group for group, _ in parts]))
        ]
        scans = yield from merge_rounds("overlap-merge", "overlap:merge", ("overlap-scan",), found)
        return [known[0], *scans, *outputs(packed, "compressed", "bytemodel")]

    def contamination(self) -> Chain:
        """Certificates of the evaluation sets that decontaminate steps looked for."""
        from pilebuilder.report.contamination import steps

        looked = steps(self.view)
        if not looked:
            return []
        ledgers = [a for name in ("clean", "filter") for a in self.view.artifacts(name, "ledger")]
        (done,) = yield [task("contamination", "contamination:certify", ledgers, steps=looked)]
        return done.of("contamination")

    def ledger(self) -> Chain:
        """What the ledgers say; then the texts of clusters and of the samples that are shown."""
        ledgers = [a for name in LEDGER_STAGES for a in self.view.artifacts(name, "ledger")]
        groups = list(batches(ledgers, LEDGER_BYTES, lambda a: a.bytes))
        found = yield [
            task(f"ledger/{i:04}", "ledgers:read_ledger", group, seed=self.seed) for i, group in enumerate(groups)
        ]
        summaries = outputs(found, "ledger-summary")
        held_out = self.validated()
        others = [p for p in self.partitions if p.facts["component"] not in held_out]
        if others:  # no split to draw from: any document may be shown
            parts = joined([self.survivors(p) for p in others])
            drawn = yield [
                task(f"drawn/{i:04}", "ledgers:draw_samples", part, seed=self.seed) for i, part in enumerate(parts)
            ]
            summaries += outputs(drawn, "ledger-summary")
        wanted = [*self.clusters, *summaries]
        parts = list(batches(self.partitions, SEARCHED_DOCUMENTS, lambda p: p.facts["documents"]))
        texts = yield [
            task(
                f"texts/{i:04}",
                "ledgers:excerpts",
                [*wanted, *part, *(self.removals[p.sha256] for p in part if p.sha256 in self.removals)],
            )
            for i, part in enumerate(parts)
            if wanted
        ]
        return [*summaries, *(a for m in texts for a in m.of("excerpts"))]

    def bias(self, samples: list[Artifact]) -> Chain:
        """Words, sentiment and profanity around identity terms, by component."""
        listed = lexicon(self.view, self.config)
        found = yield [
            task(
                f"bias/{i:05}",
                "sampled.bias:measure",
                [*inputs, *listed],
                terms=self.config.terms,
                toxicity=self.config.toxicity,
                digest=toxicity_digest(self.config.toxicity),
                seed=self.seed,
            )
            for i, inputs in enumerate(joined(list(by_component(samples).values()), SAMPLED))
        ]
        return outputs(found, "bias", "bias-words")

    def topics(self, samples: list[Artifact]) -> Chain:
        """Words, one dictionary, a model per component."""
        found = yield [
            task(f"words/{i:05}", "sampled.topics:words", inputs)
            for i, inputs in enumerate(joined(list(by_component(samples).values()), SAMPLED))
        ]
        words = outputs(found, "topic-words")
        (dictionary,) = yield [task("dictionary", "sampled.topics:dictionary", words)]
        matrices = dictionary.of("topic-matrix")
        models = yield [
            task(
                f"topics/{i:05}",
                "sampled.topics:model",
                [*dictionary.of("dictionary"), *matrices],
                components=[a.facts["component"] for a in part],
                seed=self.seed,
            )
            for i, part in enumerate(batches(matrices, TRAINED_AT_ONCE, lambda a: a.facts["documents"]))
        ]
        return outputs(models, "topics")

    def validated(self) -> set[str]:
        """Components of which the mix held documents out for validation."""
        drawn = [m for m in self.view.manifests("mix") if m.name.startswith("draw/")]
        return {m.component for m in drawn if m.facts.get("splits", {}).get("val", {}).get("documents")}

    def removal(self) -> Chain:
        """Who was removed by which rule: partitions as read, beside what the ledger says of their documents."""
        if getattr(self.view, "from_files", False):  # what was read then is not what the files hold now
            return []
        read = self.view.artifacts("read", "partition")
        stage = "filter" if self.view.manifests("filter") else "clean"
        passes = self.view.manifests(stage)
        if len(passes) != len(read):
            return []
        dedup = self._dedup_ledgers()
        sizes = by_component(read)
        parts = joined(
            [
                [
                    partition,
                    *done.of("ledger"),
                    *(a for p in done.of("partition") for a in dedup.get(p.sha256, [])),
                ]
                for partition, done in zip(read, passes, strict=True)
            ]
        )
        shares = {
            name: min(
                1.0,
                self.config.sample.removal / max(1, sum(p.facts["documents"] for p in own)),
                REMOVAL_BYTES / max(1, sum(map(text_bytes, own))),
            )
            for name, own in sizes.items()
        }
        found = yield [
            task(
                f"removal/{i:05}",
                "removal:count",
                inputs,
                seed=self.seed,
                shares={name: shares[name] for name in by_component(a for a in inputs if a.kind == "partition")},
            )
            for i, inputs in enumerate(parts)
        ]
        return (yield from merge_rounds("removal-merge", "removal:merge", ("removal-counts",), found))

    def _dedup_ledgers(self) -> dict[str, list[Artifact]]:
        """Ledger files of dedup by the partition whose documents they speak of."""
        return {
            removal.facts["partition"]: manifest.of("ledger")
            for manifest in self.view.manifests("dedup")
            for removal in manifest.of("removal")
        }

    def pages(self, inputs: list[Artifact]) -> Task:
        """The last task: every table, figure and page."""
        from pilebuilder.report import trained
        from pilebuilder.report.facts import gather

        tokens = [a for a in self.view.artifacts("tokenize", "tokens") if a.path.endswith(".json")]
        collected = [*self.view.artifacts("mix", "mixture"), *self.view.artifacts("dedup", "clusters"), *tokens]
        return task(
            "pages",
            "render:write",
            [*inputs, *collected, *trained.found(self.view)],
            facts=gather(self.view),
            config=self.config.model_dump(mode="json"),
            answers=answers(self.view, self.config),
            shares={name: held["repeats"] for name, held in self.shares(self.partitions).items()},
            templates=template_digests(),
        )


def benchmarks(view: View, config: Config) -> list[Artifact]:
    """The benchmark files that the recipe names."""
    from pilebuilder.errors import RecipeError
    from pilebuilder.task import digest_file

    found = []
    for held in config.benchmarks:
        path = (view.recipe.path.parent / held.path).resolve()
        if not path.is_file():
            raise RecipeError(f"report.benchmarks: {held.name!r}: no such file: {path}")
        digest, size = digest_file(path)
        facts = {"name": held.name, "fields": held.fields}
        found.append(Artifact(path=str(path), sha256=digest, bytes=size, kind="benchmark", facts=facts))
    return found


def second_identifier() -> str | None:
    """The second language identifier of this installation, if it has one."""
    from pilebuilder.report.sampled.agreement import second

    return second()


def lexicon(view: View, config: Config) -> list[Artifact]:
    """The list of words that the recipe names, checked; its digest enters the key of the tasks that read it."""
    from pilebuilder.report.lexicon import load
    from pilebuilder.task import digest_file

    if config.lexicon is None:
        return []
    path = (view.recipe.path.parent / config.lexicon).resolve()
    load(path)
    digest, size = digest_file(path)
    return [Artifact(path=str(path), sha256=digest, bytes=size, kind="lexicon")]


def toxicity_digest(name: str) -> str | None:
    """Digest of the toxicity model, which decides the numbers; None when the installation does not have it."""
    from pilebuilder import models

    known = name in models.CATALOGUE or name.endswith((".bin", ".ftz"))
    return models.digest(name) if known else None


def answers(view: View, config: Config) -> dict[str, Any]:
    """What a person wrote for the datasheet: the file's content, so that it enters the task's key."""
    from pilebuilder.report.papers.answers import load

    if config.answers is None:
        return {}
    return load(view.recipe.path.parent / config.answers)


def template_digests() -> dict[str, str]:
    """Digest of each template and stylesheet: an edited template makes the pages anew."""
    from pilebuilder.card import data_folder
    from pilebuilder.task import digest_file

    files = sorted(p for p in data_folder("reports").iterdir() if p.is_file())
    return {p.name: digest_file(p)[0] for p in files}
