"""The verb ``pilebuilder generate``."""

from __future__ import annotations

from typing import Annotated

import typer

from pilebuilder.cli.trained import Network, TokenizerFile

app = typer.Typer()


@app.command()
def generate(
    folder: Network,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="text to go on with; empty: a new document")] = "",
    tokens: Annotated[int, typer.Option("--tokens", "-n", min=1, help="new tokens at most")] = 128,
    temperature: Annotated[float, typer.Option("--temperature", min=0, help="0 takes the likeliest token")] = 0.8,
    top_k: Annotated[int, typer.Option("--top-k", min=0, help="draw among so many tokens; 0: all")] = 50,
    samples: Annotated[int, typer.Option("--samples", min=1, help="how many, with seeds that follow")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 1,
    tokenizer: TokenizerFile = None,
) -> None:
    """Print samples of a trained model; the same seed prints the same text.

    Example:

      pilebuilder generate corpus/quickstart/runs/mini --prompt "def main(" --temperature 0.7 --samples 3
    """
    from pilebuilder.train import need_torch, results

    need_torch()
    from pilebuilder.train.generate import Sampling

    how = Sampling(tokens=tokens, temperature=temperature, top_k=top_k, seed=seed)
    raise typer.Exit(results.generate(folder, prompt, how, samples, tokenizer))
