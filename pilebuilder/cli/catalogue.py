"""Verbs of what ships with pilebuilder: recipes, source cards, models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilebuilder.cli.options import RecipeName

recipe_app = typer.Typer(no_args_is_help=True, help="Recipes: check one, or print the JSON Schema for your editor.")
sources_app = typer.Typer(no_args_is_help=True, help="Cards of the components that ship with pilebuilder.")
models_app = typer.Typer(no_args_is_help=True, help="Small models that ship with pilebuilder, and their cards.")

app = typer.Typer()
app.add_typer(recipe_app, name="recipe")
app.add_typer(sources_app, name="sources")
app.add_typer(models_app, name="models")


@recipe_app.command("schema")
def recipe_schema() -> None:
    """Print the JSON Schema of recipes, for completion and checks in an editor.

    Example:

      pilebuilder recipe schema > recipe.schema.json
    """
    import json

    from pilebuilder.recipe import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@recipe_app.command("check")
def recipe_check(recipe: RecipeName) -> None:
    """Check a recipe without running anything; print it with every default filled in.

    Example:

      pilebuilder recipe check my-recipe.yaml
    """
    from pilebuilder import command

    command.show_recipe(recipe)


@sources_app.command("list")
def sources_list() -> None:
    """List the cards in sources/: access class, licence, size in the Pile.

    Example:

      pilebuilder sources list
    """
    from pilebuilder import command

    command.show_sources()


@sources_app.command("show")
def sources_show(name: Annotated[str, typer.Argument(help="a card's file name or the component's own name")]) -> None:
    """Show a whole card, readable by a lawyer.

    Example:

      pilebuilder sources show gutenberg
    """
    from pilebuilder import command

    command.show_source(name)


@sources_app.command("add")
def sources_add(
    name: Annotated[str, typer.Argument(help="the component's name, as it will stand in shards")],
    place: Annotated[str, typer.Argument(help="a file, a folder, or a web address")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the card to write (.yaml)")],
    reader: Annotated[str, typer.Option("--read", help="which reader [default: by the extension]")] = "",
    licence: Annotated[str, typer.Option("--licence", help="SPDX name of the licence")] = "",
    evidence: Annotated[str, typer.Option("--evidence", help="address where the terms can be read")] = "",
) -> None:
    """Write the card of a source of your own, to be named in a recipe.

    Example:

      pilebuilder sources add "Town Minutes" minutes/ -o town-minutes.yaml --licence CC0-1.0
    """
    from pilebuilder.implied import write_card

    write_card(name, place, out, reader, licence, evidence)
    typer.echo(f"{out}: complete it, then name it in a recipe:\n\ncomponents:\n  - card: {out}")


@sources_app.command("check")
def sources_check(
    names: Annotated[list[str] | None, typer.Argument(help="cards to check [default: all]")] = None,
    take: Annotated[str, typer.Option("--take", help="how much would be fetched of each")] = "50 MB",
    accept_terms: Annotated[bool, typer.Option("--accept-terms", help="ask opt-in upstreams too")] = False,
) -> None:
    """Ask each card's upstream what it offers: items, bytes, and what is missing. Fetches nothing.

    Example:

      pilebuilder sources check gutenberg arxiv --take 100MB
    """
    from pilebuilder import command

    raise typer.Exit(command.check_sources(names or [], take, accept_terms))


@models_app.command("list")
def models_list() -> None:
    """List the models that ship with pilebuilder: task, size, licence.

    Example:

      pilebuilder models list
    """
    from pilebuilder import command

    command.show_models()


@models_app.command("card")
def models_card(name: Annotated[str, typer.Argument(help="a model's name")]) -> None:
    """Show a model's card: data, licences, figures, and what it cannot do.

    Example:

      pilebuilder models card lid176
    """
    from pilebuilder import command

    command.show_model_card(name)


@models_app.command("check")
def models_check() -> None:
    """Recompute the digest of every shipped model.

    Example:

      pilebuilder models check
    """
    from pilebuilder import command

    raise typer.Exit(command.check_models())
