"""The toxicity model: its files, the public sets it was trained from, and the command that trains it again."""
