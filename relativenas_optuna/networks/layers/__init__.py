"""The layers that cells and networks are made of."""
