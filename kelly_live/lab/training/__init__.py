"""Training of the nets and of the vocabulary, with their scores and model cards."""
