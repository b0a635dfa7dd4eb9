"""The build core: plan, keys, commits, lock, ledger, progress. Stages and steps get all of it without asking."""
