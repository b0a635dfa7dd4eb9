"""Verbs that take a corpus to others and back: publish, pull."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def publish(
    source: Annotated[str, typer.Argument(help="the output folder of a build, or the recipe it was built from")],
    repo: Annotated[str | None, typer.Option("--repo", help="dataset repository on the Hub, ORG/NAME")] = None,
    to: Annotated[str | None, typer.Option("--to", help="a folder or bucket instead, e.g. s3://BUCKET/PREFIX")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="where the recipe was built")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print files, sizes, warnings and card; send nothing")
    ] = False,
    public: Annotated[bool, typer.Option("--public", help="visible to all, once it is verified")] = False,
    branch: Annotated[str, typer.Option("--branch", help="publish to this branch")] = "main",
    pull_request: Annotated[bool, typer.Option("--pull-request", help="propose it instead of committing")] = False,
    tag: Annotated[
        str | None, typer.Option("--tag", help="name of this version [default: vVERSION]; '' for none")
    ] = None,
    gated: Annotated[str | None, typer.Option("--gated", help="who may read asks first: auto, manual or off")] = None,
    gate: Annotated[str, typer.Option("--gate-text", help="what they must agree to")] = "",
    components: Annotated[
        bool, typer.Option("--components/--no-components", help="a config with files of its own per component")
    ] = True,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="those files, and the whole once more, as Parquet")
    ] = False,
    ledger: Annotated[bool, typer.Option("--ledger", help="the ledger too: what happened to every document")] = False,
    tokens: Annotated[bool, typer.Option("--tokens", help="token files too")] = False,
    tokens_only: Annotated[
        bool, typer.Option("--tokens-only", help="only token files, for a repository of their own")
    ] = False,
    max_file: Annotated[str, typer.Option("--max-file", help="cut larger files into parts")] = "20 GB",
    delete_stray: Annotated[
        bool, typer.Option("--delete-stray", help="delete files there that no manifest knows")
    ] = False,
    cache: Annotated[Path | None, typer.Option("--cache", help="where files per component are written")] = None,
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge-personal-data", help="you know that it holds personal data")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="publish in spite of everything that speaks against it")] = False,
) -> None:
    """Publish a finished build: all of it in one step, verified file by file. The same command resumes and updates.

    The token comes from HF_TOKEN or `hf auth login`; repositories are private unless --public says otherwise.

    Examples:

      pilebuilder publish corpus/quickstart --repo me/quickstart --dry-run

      pilebuilder publish corpus/quickstart --repo me/quickstart

      pilebuilder publish corpus/quickstart --to s3://bucket/quickstart
    """
    from pilebuilder.publish import show
    from pilebuilder.publish.layout import Limits
    from pilebuilder.publish.run import Options
    from pilebuilder.units import parse_size

    if gated not in (None, "auto", "manual", "off"):
        raise typer.BadParameter("give auto, manual or off", param_hint="--gated")
    options = Options(
        components=components,
        parquet=parquet,
        ledger=ledger,
        tokens=tokens,
        tokens_only=tokens_only,
        public=public,
        branch=branch,
        pull_request=pull_request,
        gated=gated,  # type: ignore[arg-type]
        gate=gate,
        tag=tag,
        delete_stray=delete_stray,
        yes=yes,
        acknowledge_personal_data=acknowledge,
        cache=cache,
        limits=Limits(file=parse_size(max_file)),
    )
    raise typer.Exit(show.publish(source, out, repo, to, options, dry_run))


@app.command()
def pull(
    source: Annotated[str, typer.Argument(help="ORG/NAME on the Hub, or a folder or bucket")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="folder for it [default: corpus/NAME]")] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="tag, branch or commit")] = None,
    components: Annotated[
        bool, typer.Option("--components", help="the files per component too, and a recipe that reads them")
    ] = False,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", help="leave out reports, ledger or tokens (repeatable)")
    ] = None,
) -> None:
    """Fetch a published corpus and verify it against its manifest and its lock. The same command resumes and updates.

    Examples:

      pilebuilder pull me/quickstart --revision v1.0

      pilebuilder pull s3://bucket/quickstart -o corpus/again
    """
    from pilebuilder.publish import show

    raise typer.Exit(show.pull(source, out, revision, components, skip or []))
