"""The command `relativenas`."""
