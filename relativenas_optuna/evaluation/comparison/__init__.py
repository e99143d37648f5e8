"""What a search found, trained beside what it is to be compared with."""
