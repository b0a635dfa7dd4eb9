"""Verbs that take documents out of a corpus: takedown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilebuilder.cli.options import Folder

app = typer.Typer()


@app.command()
def takedown(
    folder: Folder,
    ids: Annotated[list[str] | None, typer.Argument(help="document ids (32 hex digits)")] = None,
    from_list: Annotated[Path | None, typer.Option("--list", help="a file of ids, one a line")] = None,
    url: Annotated[list[str] | None, typer.Option("--url", help="documents of this address")] = None,
    licence: Annotated[list[str] | None, typer.Option("--licence", help="documents of this licence")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would happen; write nothing")] = False,
) -> None:
    """Take documents out: say what will happen, and put them on the list that the recipe's next build honours.

    Examples:

      pilebuilder takedown corpus/my-corpus 3f9a01c2d4e5f60718293a4b5c6d7e8f --dry-run

      pilebuilder takedown corpus/my-corpus --url https://example.org/page --licence CC-BY-NC-4.0
    """
    from pilebuilder.build.takedown import Wanted
    from pilebuilder.build.takedown import takedown as put_on_list
    from pilebuilder.dedup.takedown import read_list

    names = [*(ids or ()), *(read_list(from_list) if from_list else ())]
    wanted = Wanted(ids=tuple(names), urls=tuple(url or ()), licences=tuple(licence or ()))
    if not (wanted.ids or wanted.urls or wanted.licences):
        raise typer.BadParameter("name documents: ids, --list, --url or --licence")
    answer = put_on_list(folder, wanted, dry_run=dry_run)
    for sentence in answer.sentences:
        typer.echo(sentence)
    for name in answer.unknown:
        typer.echo(f"{name}: no document of this build", err=True)
    did = "would be added" if dry_run else "added"
    what = "1 document" if len(answer.added) == 1 else f"{len(answer.added):,} documents"
    typer.echo(f"{what} {did} to {answer.path}; {answer.remedy}")
    raise typer.Exit(1 if answer.unknown else 0)
