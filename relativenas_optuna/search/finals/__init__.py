"""Finals: a short stand-alone training of a search's best candidates, which decides the winner."""
