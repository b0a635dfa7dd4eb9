"""Publish a finished build: to a dataset repository on a Hub, a bucket or a folder, whole and verified; and back.

`corpus` reads a build, `concerns` says what speaks against publishing it, `pieces` writes one config per component,
`layout` decides the files, `papers` the card; `hub` and `upload` send them to a Hub, `shelf` to a bucket or folder;
`pull` brings a published corpus back.
"""
