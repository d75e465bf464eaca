"""What `kelly-live lab bench` and `make soak` measure."""
