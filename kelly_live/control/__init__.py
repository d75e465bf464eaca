"""Open Sound Control: what is felt and played goes out, what a performer does comes in, both over UDP."""
