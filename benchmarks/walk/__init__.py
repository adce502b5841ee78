"""What `benchmarks.journey` is made of: data sets as ZIP, a server that can be killed, and a visitor who is counted."""
