"""Questions and answers in the style of the DeepMind mathematics dataset (Saxton et al. 2019, arXiv:1904.01557).

This is our own implementation: the released generator no longer imports on current Python. It has the same module
names, the same styles of question and the same three levels of difficulty; the questions themselves are ours, so a
corpus built from it says "generated", never "mathematics_dataset-v1.0".
"""
