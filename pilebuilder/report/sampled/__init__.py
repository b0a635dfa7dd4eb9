"""Costly measures, made on a seeded sample of each component: topics, bias, profanity, samples of text."""
