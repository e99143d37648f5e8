"""RelativeNAS: slow-fast learning in pairs."""
