"""Published figures of the Pile (Gao et al. 2020, tables 1 and 7) that the report's arithmetic must reproduce."""

# component: raw GiB, weight %, epochs, effective GiB, mean document KiB, tokens per byte
PILE = {
    "Pile-CC": (227.12, 18.11, 1.0, 227.12, 4.33, 0.2291),
    "PubMed Central": (90.27, 14.40, 2.0, 180.55, 30.55, 0.3103),
    "Books3": (100.96, 12.07, 1.5, 151.44, 538.36, 0.2477),
    "OpenWebText2": (62.77, 10.01, 2.0, 125.54, 3.85, 0.2434),
    "ArXiv": (56.21, 8.96, 2.0, 112.42, 46.61, 0.3532),
    "Github": (95.16, 7.59, 1.0, 95.16, 5.25, 0.4412),
    "FreeLaw": (51.15, 6.12, 1.5, 76.73, 15.06, 0.2622),
    "Stack Exchange": (32.20, 5.13, 2.0, 64.39, 2.16, 0.3436),
    "USPTO Backgrounds": (22.90, 3.65, 2.0, 45.81, 4.08, 0.2116),
    "PubMed Abstracts": (19.26, 3.07, 2.0, 38.53, 1.30, 0.2183),
    "Gutenberg (PG-19)": (10.88, 2.17, 2.5, 27.19, 398.73, 0.2677),
    "OpenSubtitles": (12.98, 1.55, 1.5, 19.47, 30.48, 0.2765),
    "Wikipedia (en)": (6.38, 1.53, 3.0, 19.13, 1.11, 0.2373),
    "DM Mathematics": (7.75, 1.24, 2.0, 15.49, 8.00, 0.8137),
    "Ubuntu IRC": (5.52, 0.88, 2.0, 11.03, 545.48, 0.3651),
    "BookCorpus2": (6.30, 0.75, 1.5, 9.45, 369.87, 0.2430),
    "EuroParl": (4.59, 0.73, 2.0, 9.17, 68.87, 0.3879),
    "HackerNews": (3.90, 0.62, 2.0, 7.80, 4.92, 0.2627),
    "YoutubeSubtitles": (3.73, 0.60, 2.0, 7.47, 22.55, 0.4349),
    "PhilPapers": (2.38, 0.38, 2.0, 4.76, 73.37, 0.2688),
    "NIH ExPorter": (1.89, 0.30, 2.0, 3.79, 2.11, 0.1987),
    "Enron Emails": (0.88, 0.14, 2.0, 1.76, 1.78, 0.3103),
}
TOTAL_RAW, TOTAL_EFFECTIVE, MEAN_KIB = 825.18, 1254.20, 5.91
